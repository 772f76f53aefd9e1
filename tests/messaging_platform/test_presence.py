"""Connections, heartbeats and typing: on tables of an AWS in the process, and on a real Valkey that is taken away."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal

import boto3
import pytest
import valkey
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from lambdas.messaging_platform import keys, people
from lambdas.messaging_platform.people import People, Profile
from lambdas.messaging_platform.presence import logic, socket
from lambdas.messaging_platform.presence import store as store_module
from lambdas.messaging_platform.presence.cache import MOST_WATCHERS, PresenceCache
from lambdas.messaging_platform.presence.logic import MOST_TOLD_OF_TYPING, MOST_WATCHED, visible
from lambdas.messaging_platform.presence.store import PresenceTable, Store, Topic
from lambdas.messaging_platform.records import Presence, Typing, decode
from lambdas.messaging_platform.settings import PresenceSettings
from lambdas.shared import valkey as valkey_module
from lambdas.shared.errors import Conflict, NotFound, Unavailable
from workbench.offline.engines.redis import Redis

pytestmark = pytest.mark.fast

ANN, BOB, CID, EVE = "ann", "bob", "cid", "eve"
GROUP = "g-" + "a" * 32
ALIVE_S = 45
FALLS_BACK_WITHIN_S = (
    valkey_module.READ_S + 0.6
)  # the rest is for DynamoDB in this process, and a busy machine
CONTEXT = SimpleNamespace(aws_request_id="function-request")


@dataclass
class Sockets:
    """Connections that were closed from here."""

    closed: list[tuple[str, str]] = field(default_factory=list)

    def close(self, connection: str, gateway: str) -> bool:
        self.closed.append((connection, gateway))
        return True


@dataclass
class Told:
    """What was told."""

    records: list[Presence | Typing] = field(default_factory=list)

    def tell(self, record: Presence | Typing) -> None:
        self.records.append(record)


@dataclass(repr=False)  # a property that fails prints it
class Platform:
    """The tables, the cache, and what is told."""

    dynamodb: Any
    settings: PresenceSettings
    store: Store
    people: People
    told: Told
    sockets: Sockets
    server: Redis
    client: Any

    @property
    def services(self) -> logic.Services:
        return logic.Services(self.people, self.store, self.told, self.sockets)

    def put(self, table: str, **attributes: Any) -> None:
        item = {name: _typed(value) for name, value in attributes.items()}
        self.dynamodb.put_item(TableName=table, Item=item)

    def person(self, user: str, last_seen: str = "everyone", devices: Sequence[str] = ("phone",)) -> None:
        self.put(self.settings.people_table, user=user, entry=keys.PROFILE, last_seen=last_seen)
        for device in devices:
            self.put(self.settings.people_table, user=user, entry=keys.device(device), platform="ios")

    def relate(self, user: str, entry: str) -> None:
        self.put(self.settings.people_table, user=user, entry=entry)

    def chat(self, chat: str, *users: str, seq: int = 5, members: int | None = None) -> None:
        self.put(
            self.settings.chats_table, chat=chat, entry=keys.HEAD, seq=seq, members=members or len(users)
        )
        for user in users:
            self.put(self.settings.chats_table, chat=chat, entry=keys.member(user), user=user, since=1)

    def connection(self, user: str, device: str = "phone") -> str | None:
        noted = self.people.device(user, device)
        assert noted is not None
        return noted.connection

    def beats(self) -> dict[str, Any]:
        items = self.dynamodb.scan(TableName=self.settings.presence_table)["Items"]
        return {keys.inbox(item["user"]["S"], item["device"]["S"]): item for item in items}


def _typed(value: Any) -> dict[str, Any]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def at(user: str, connection: str = "c1", connected_at: int = 1_000, device: str = "phone") -> logic.Socket:
    return logic.Socket(user, device, connection, "", connected_at)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    made = Redis("presence", tmp_path_factory.mktemp("presence") / "server", zones=("a",))
    made.start()
    yield made
    made.delete()


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            yield boto3.client("dynamodb")


@pytest.fixture
def platform(server: Redis, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    run = uuid.uuid4().hex[:8]
    tables = {"people": ("user", "entry"), "chats": ("chat", "entry"), "presence": ("user", "device")}
    for name, parts in tables.items():
        aws.create_table(
            TableName=f"{name}-{run}",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(parts, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in parts],
        )
    made = PresenceSettings(
        people_table=f"people-{run}",
        chats_table=f"chats-{run}",
        presence_table=f"presence-{run}",
        kafka_cluster_arn="arn:aws:kafka:eu-central-1:123456789012:cluster/c/1",
        presence_topic="presence",
        cache_host="localhost",
        cache_port=str(server.port),
        cache_token_secret_arn="arn:aws:secretsmanager:eu-central-1:123456789012:secret:token",
    )
    for name, value in made.as_environment().items():
        monkeypatch.setenv(name, value)
    server.start()
    client: Any = valkey.Valkey(
        host="localhost",
        port=server.port,
        decode_responses=True,
        socket_connect_timeout=valkey_module.CONNECT_S,
        socket_timeout=valkey_module.READ_S,
    )
    client.flushall()
    cache = PresenceCache(lambda: client, ALIVE_S)
    store = Store(
        cache,
        PresenceTable(made.presence_table, ALIVE_S, client=lambda: aws),
        people_table=made.people_table,
        chats_table=made.chats_table,
        client=lambda: aws,
    )
    people = People(made.people_table, lambda: aws)
    platform = Platform(aws, made, store, people, Told(), Sockets(), server, client)
    for user in (ANN, BOB, CID):
        platform.person(user)
    yield platform
    client.close()


def users_of(frame: dict[str, Any]) -> dict[str, Any]:
    assert frame["type"] == "alive"
    return dict(frame["users"])


# Connecting


def test_a_connection_is_noted_and_is_the_first_heartbeat(platform: Platform) -> None:
    logic.connect(at(ANN), platform.services)
    assert platform.connection(ANN) == "c1"
    assert platform.told.records == [Presence(ANN, True, None)]
    assert platform.store.is_alive(["ann#phone", "bob#phone"]) == {"ann#phone"}


def test_a_device_that_is_not_registered_gets_no_connection(platform: Platform) -> None:
    with pytest.raises(NotFound):
        logic.connect(at(ANN, device="made-up"), platform.services)
    assert platform.people.device(ANN, "made-up") is None
    assert platform.told.records == []


def test_the_next_connection_takes_the_place_of_the_one_before_and_ends_it(platform: Platform) -> None:
    logic.connect(at(ANN, "c1", 1_000), platform.services)
    logic.connect(at(ANN, "c2", 2_000), platform.services)
    assert platform.connection(ANN) == "c2"
    assert platform.sockets.closed == [("c1", "")]
    assert platform.told.records == [Presence(ANN, True, None)]


def test_a_connection_twice_is_the_same_connection(platform: Platform) -> None:
    logic.connect(at(ANN), platform.services)
    logic.connect(at(ANN), platform.services)
    assert (platform.connection(ANN), platform.sockets.closed) == ("c1", [])


def test_a_connection_that_comes_late_is_refused(platform: Platform) -> None:
    logic.connect(at(ANN, "c2", 2_000), platform.services)
    with pytest.raises(Conflict):
        logic.connect(at(ANN, "c1", 1_000), platform.services)
    assert (platform.connection(ANN), platform.sockets.closed) == ("c2", [])


def test_an_end_takes_its_own_connection_away_and_tells_when_the_user_was_last_here(
    platform: Platform,
) -> None:
    logic.connect(at(ANN), platform.services)
    before = int(time.time() * 1000)
    logic.disconnect(at(ANN), platform.services)
    logic.disconnect(at(ANN), platform.services)
    assert platform.connection(ANN) is None
    came, went = platform.told.records
    assert isinstance(went, Presence)
    assert came == Presence(ANN, True, None)
    assert (went.user, went.online) == (ANN, False)
    assert abs((went.last_seen or 0) - before) < 5_000


def test_the_end_of_an_old_connection_leaves_the_new_one(platform: Platform) -> None:
    logic.connect(at(ANN, "c1", 1_000), platform.services)
    logic.connect(at(ANN, "c2", 2_000), platform.services)
    logic.disconnect(at(ANN, "c1", 1_000), platform.services)
    assert platform.connection(ANN) == "c2"
    assert platform.store.is_alive(["ann#phone"]) == {"ann#phone"}
    assert platform.told.records == [Presence(ANN, True, None)]


def test_a_late_connection_takes_no_newer_ones_place_whoever_notes_it(platform: Platform) -> None:
    """Whatever was read before: between that and the writing, the newer one may have come."""
    assert platform.people.connect(ANN, "phone", "c2", "", 2_000) is None
    with pytest.raises(Conflict):
        platform.people.connect(ANN, "phone", "c1", "", 1_000)
    with pytest.raises(NotFound):
        platform.people.connect(ANN, "made-up", "c3", "", 3_000)
    assert platform.connection(ANN) == "c2"
    replaced = platform.people.connect(ANN, "phone", "c3", "", 2_000)
    assert (replaced and replaced.id, platform.connection(ANN)) == ("c2", "c3")


def test_a_connection_that_is_noted_nowhere_is_noted_again_with_its_heartbeat(platform: Platform) -> None:
    """As after a frame that failed, though the connection was well."""
    logic.connect(at(ANN, "c2", 2_000), platform.services)
    platform.people.disconnect(ANN, "phone", "c2")
    platform.store.gone(ANN, "phone", "c2", was_noted=True)
    logic.heartbeat(at(ANN, "c2", 2_000), (), platform.services)
    assert platform.connection(ANN) == "c2"


def test_a_device_that_was_removed_is_not_online_for_as_long_as_it_beats(platform: Platform) -> None:
    logic.connect(at(ANN), platform.services)
    key = {"user": {"S": ANN}, "entry": {"S": keys.device("phone")}}
    platform.dynamodb.delete_item(TableName=platform.settings.people_table, Key=key)
    platform.client.flushall()  # and nobody knows its connection any more
    with pytest.raises(NotFound):
        logic.heartbeat(at(ANN), (), platform.services)
    assert platform.store.is_alive(["ann#phone"]) == set()
    assert platform.sockets.closed == [("c1", "")]
    last = platform.told.records[-1]
    assert isinstance(last, Presence)
    assert not last.online


def test_of_two_connections_that_both_beat_the_newer_stays(platform: Platform) -> None:
    logic.connect(at(ANN, "c1", 1_000), platform.services)
    logic.connect(at(ANN, "c2", 2_000), platform.services)
    platform.sockets.closed.clear()
    for connection, since in (("c1", 1_000), ("c2", 2_000), ("c1", 1_000)):
        logic.heartbeat(at(ANN, connection, since), (), platform.services)
    assert platform.connection(ANN) == "c2"
    assert set(platform.sockets.closed) == {("c1", "")}


_CONNECTIONS = st.lists(
    st.tuples(st.sampled_from(["connect", "disconnect", "beat"]), st.integers(1, 4)), min_size=1, max_size=12
)


@example(steps=[("connect", 1), ("connect", 2), ("beat", 1), ("disconnect", 2)])  # found by looking for long
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_CONNECTIONS)
def test_however_late_and_often_the_events_come_the_newest_open_connection_is_noted_after_its_heartbeat(
    platform: Platform, steps: Sequence[tuple[Literal["connect", "disconnect", "beat"], int]]
) -> None:
    platform.client.flushall()
    platform.person(ANN)
    ended: set[int] = set()
    opened: set[int] = set()
    for what, number in steps:
        this = at(ANN, f"c{number}", number * 1_000)
        if what == "connect" and number not in ended:
            try:
                logic.connect(this, platform.services)
                opened.add(number)
            except Conflict:
                assert max(opened - ended) > number
        elif what == "disconnect":
            ended.add(number)
            logic.disconnect(this, platform.services)
        elif what == "beat" and number in opened - ended:
            logic.heartbeat(this, (), platform.services)
    assert platform.connection(ANN) not in {f"c{number}" for number in ended}
    if opened - ended:
        newest = max(opened - ended)
        logic.heartbeat(at(ANN, f"c{newest}", newest * 1_000), (), platform.services)
        assert platform.connection(ANN) == f"c{newest}"


# Who sees whom


@pytest.mark.parametrize(
    ("last_seen", "is_contact", "is_blocked", "sees"),
    [
        ("everyone", False, False, True),
        ("everyone", True, True, False),
        ("contacts", True, False, True),
        ("contacts", False, False, False),
        ("contacts", True, True, False),
        ("nobody", True, False, False),
        ("somebody", True, False, False),
    ],
)
def test_who_may_see_is_what_the_seen_one_says_and_never_who_is_blocked(
    last_seen: Any, is_contact: bool, is_blocked: bool, sees: bool
) -> None:
    assert visible(Profile(ANN, last_seen=last_seen), is_contact, is_blocked) is sees


def test_nobody_sees_somebody_who_is_not() -> None:
    assert not visible(None, True, False)


@pytest.mark.parametrize(
    ("last_seen", "relations", "sees"),
    [
        ("everyone", [], True),
        ("contacts", [(ANN, keys.contact(BOB))], True),
        ("contacts", [(BOB, keys.contact(ANN))], False),
        ("nobody", [(ANN, keys.contact(BOB))], False),
        ("everyone", [(ANN, keys.blocked(BOB))], False),
        ("everyone", [(BOB, keys.blocked(ANN))], False),
    ],
)
def test_a_heartbeat_answers_with_those_whom_its_user_may_see(
    platform: Platform, last_seen: str, relations: list[tuple[str, str]], sees: bool
) -> None:
    platform.person(ANN, last_seen)
    for relation in relations:
        platform.relate(*relation)
    logic.connect(at(ANN), platform.services)
    for _ in range(2):  # decided, and as it was decided
        seen = users_of(logic.heartbeat(at(BOB, "c9"), [ANN, EVE], platform.services))
        assert seen[ANN] == {"online": sees, "last_seen": None}
        assert seen[EVE] == {"online": False, "last_seen": None}
    assert platform.client.zrange("watch:ann", 0, -1) == (["bob#phone"] if sees else [])


def test_hidden_looks_like_never_seen_also_for_one_who_went(platform: Platform) -> None:
    platform.person(ANN, "nobody")
    logic.connect(at(ANN), platform.services)
    logic.disconnect(at(ANN), platform.services)
    seen = users_of(logic.heartbeat(at(BOB, "c9"), [ANN, EVE], platform.services))
    assert seen[ANN] == seen[EVE]


def test_one_sees_oneself(platform: Platform) -> None:
    platform.person(ANN, "nobody")
    assert users_of(logic.heartbeat(at(ANN), [ANN], platform.services))[ANN]["online"] is True


def test_what_was_decided_is_not_read_again_with_every_heartbeat(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    logic.heartbeat(at(BOB, "c9"), [ANN, EVE], platform.services)
    monkeypatch.setattr(platform.store, "sights", lambda *_: pytest.fail("it was read again"))
    logic.heartbeat(at(BOB, "c9"), [ANN, EVE], platform.services)


def test_the_most_that_one_heartbeat_watches_is_decided_by_one_call(platform: Platform) -> None:
    calls: list[str] = []
    platform.dynamodb.meta.events.register_first(
        "before-call.dynamodb.BatchGetItem", lambda **_: calls.append("read"), unique_id=str(uuid.uuid4())
    )
    watched = [ANN, *(f"u{number}" for number in range(MOST_WATCHED - 1))]
    assert users_of(logic.heartbeat(at(BOB, "c9"), watched, platform.services)).keys() == set(watched)
    assert calls == ["read"]


# Typing


def typing(platform: Platform, user: str, chat: str, on: bool = True) -> None:
    logic.typing(at(user), chat, on, 7_000, platform.services)


def test_a_member_who_writes_is_told_of_once_in_a_while(platform: Platform) -> None:
    chat = keys.direct_chat(ANN, BOB)
    platform.chat(chat, ANN, BOB)
    typing(platform, ANN, chat)
    typing(platform, ANN, chat, on=False)
    typing(platform, BOB, chat)
    assert platform.told.records == [Typing(chat, ANN, True, 7_000), Typing(chat, BOB, True, 7_000)]


def test_a_stranger_may_not_type_and_learns_nothing(platform: Platform) -> None:
    chat = keys.direct_chat(ANN, BOB)
    platform.chat(chat, ANN, BOB)
    platform.chat(GROUP, ANN, BOB)
    words = set()
    for asked in (chat, GROUP, "g-" + "f" * 32):
        with pytest.raises(NotFound) as refused:
            typing(platform, CID, asked)
        words.add(str(refused.value))
    assert len(words) == 1
    assert platform.told.records == []


@pytest.mark.parametrize("attributes", [{"since": 1, "until": 3}, {"since": 7}])
def test_who_was_removed_or_is_not_there_yet_may_not_type(
    platform: Platform, attributes: dict[str, int]
) -> None:
    platform.chat(GROUP, ANN, BOB, seq=5)
    platform.put(platform.settings.chats_table, chat=GROUP, entry=keys.member(BOB), user=BOB, **attributes)
    with pytest.raises(NotFound):
        typing(platform, BOB, GROUP)


def test_who_is_blocked_types_for_nobody_and_is_not_told_so(platform: Platform) -> None:
    chat = keys.direct_chat(ANN, BOB)
    platform.chat(chat, ANN, BOB)
    platform.relate(ANN, keys.blocked(BOB))
    typing(platform, BOB, chat)
    assert platform.told.records == []


def test_in_a_large_group_nobody_is_told_who_writes(platform: Platform) -> None:
    platform.chat(GROUP, ANN, members=MOST_TOLD_OF_TYPING + 1)
    typing(platform, ANN, GROUP)
    assert platform.told.records == []
    other = "g-" + "b" * 32
    platform.chat(other, ANN, members=MOST_TOLD_OF_TYPING)
    typing(platform, ANN, other)
    assert len(platform.told.records) == 1


# Without the cache


@pytest.fixture(params=["stopped", "slow", "lost token"])
def without_cache(request: pytest.FixtureRequest, platform: Platform) -> Iterator[Callable[[], None]]:
    """The cache is away in each of its ways; what is returned brings it back."""
    logic.connect(at(ANN, "c0", 500), platform.services)  # it is there, and is known to be
    platform.told.records.clear()
    platform.sockets.closed.clear()
    [pid] = platform.server.pids
    back: list[Callable[[], None]] = []

    def restore() -> None:
        while back:
            back.pop()()

    if request.param == "stopped":
        platform.server.stop()
        back.append(platform.server.start)
    elif request.param == "slow":
        os.kill(pid, signal.SIGSTOP)
        back.append(lambda: os.kill(pid, signal.SIGCONT))
    else:
        platform.client.connection_pool.disconnect()
        before = platform.server.users
        platform.server.change_users((type(before[0])("default", passwords=("a-token-nobody-has",)),))
        back.append(lambda: platform.server.change_users(before))
    yield restore
    restore()


def timed(act: Callable[[], Any], within: float) -> Any:
    begun = time.monotonic()
    answer = act()
    assert time.monotonic() - begun < within
    return answer


def test_without_the_cache_the_table_takes_its_place_in_time_and_gives_it_back(
    platform: Platform, without_cache: Callable[[], None]
) -> None:
    platform.person(CID, "nobody")
    timed(lambda: logic.connect(at(ANN), platform.services), FALLS_BACK_WITHIN_S)
    assert platform.connection(ANN) == "c1"
    assert platform.beats().keys() == {"ann#phone"}
    assert platform.told.records == []  # nothing is pushed
    logic.connect(at(CID, "c3"), platform.services)
    frame = logic.heartbeat(at(EVE, "c9"), [ANN, CID], platform.services)
    assert users_of(frame)[ANN] == {"online": True, "last_seen": None}
    assert users_of(frame)[CID] == {"online": False, "last_seen": None}
    assert platform.store.is_alive(["ann#phone", "dan#phone"]) == {"ann#phone"}
    assert not platform.store.may_type(ANN, "phone", GROUP)
    logic.disconnect(at(ANN), platform.services)
    assert "ann#phone" not in platform.beats()
    without_cache()
    platform.store._cache._rests_until = 0.0  # its rest is over
    logic.connect(at(BOB, "c9"), platform.services)
    assert platform.told.records == [Presence(BOB, True, None)]
    assert platform.store._cache.is_alive(["bob#phone"]) == {"bob#phone"}


def test_a_late_end_takes_no_other_connection_out_of_the_table(
    platform: Platform, without_cache: Callable[[], None]
) -> None:
    logic.connect(at(ANN, "c1", 1_000), platform.services)
    logic.connect(at(ANN, "c2", 2_000), platform.services)
    logic.disconnect(at(ANN, "c1", 1_000), platform.services)
    assert (platform.connection(ANN), set(platform.beats())) == ("c2", {"ann#phone"})


def test_a_cache_that_did_not_answer_is_left_alone_for_a_while(server: Redis) -> None:
    now, asked = [0.0], []

    def refuse() -> Any:
        asked.append(now[0])
        return valkey.Valkey(port=server.port, unix_socket_path="/nowhere")

    cache = PresenceCache(refuse, monotonic=lambda: now[0])
    calls: list[float] = []

    class Away:
        def __getattr__(self, name: str) -> Any:
            calls.append(now[0])
            raise valkey.ConnectionError("away")

    cache.__dict__["_client"] = Away()
    for moment in (0.0, 0.5, 1.9, 2.1, 2.2):
        now[0] = moment
        with pytest.raises(Unavailable):
            cache.heartbeat(ANN, "phone")
    assert calls == [0.0, 2.1]


def test_heartbeats_in_the_table_grow_old_and_end(platform: Platform) -> None:
    now = [1_000.0]
    table = PresenceTable(
        platform.settings.presence_table, ALIVE_S, client=lambda: platform.dynamodb, clock=lambda: now[0]
    )
    table.heartbeat(ANN, "phone")
    now[0] += ALIVE_S - 1
    table.heartbeat(ANN, "tablet")
    now[0] += 1
    assert table.is_alive(["ann#phone", "ann#tablet"]) == {"ann#tablet"}
    assert table.state(ANN).online
    now[0] += ALIVE_S
    state = table.state(ANN)
    assert (state.online, state.last_seen) == (False, (1_000 + ALIVE_S - 1) * 1_000)
    [beat] = [item for name, item in platform.beats().items() if name == "ann#phone"]
    assert int(beat["expires_at"]["N"]) > int(beat["alive_at"]["N"])


def test_a_table_that_leaves_keys_out_is_unavailable_and_nobody_is_shown(platform: Platform) -> None:
    class Busy:
        def batch_get_item(self, **request: Any) -> Any:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    store = Store(
        platform.store._cache,
        platform.store._table,
        people_table=platform.settings.people_table,
        chats_table=platform.settings.chats_table,
        client=lambda: Busy(),  # type: ignore[arg-type, return-value]
    )
    with pytest.raises(Unavailable):
        store.sights(BOB, [ANN])


# The topic


class Broker:
    """Kafka, which takes as long as it is told to."""

    def __init__(self, *takes_s: float, fails: Exception | None = None) -> None:
        self.takes_s = list(takes_s)
        self.fails = fails
        self.prepared = threading.Event()
        self.sent: list[tuple[str, str, bytes, float]] = []

    def prepare(self, topic: str, within_s: float) -> None:
        self._take()
        self.prepared.set()

    def send_all(self, topic: str, messages: Sequence[tuple[str, bytes]], within_s: float) -> None:
        self._take()
        self.sent.extend((topic, key, value, within_s) for key, value in messages)

    def _take(self) -> None:
        if self.takes_s:
            threading.Event().wait(self.takes_s.pop(0))
        if self.fails is not None:
            raise self.fails


CAME, WENT = Presence(ANN, True, None), Presence(ANN, False, 7)


def test_what_is_told_is_keyed_by_whom_it_is_about() -> None:
    broker = Broker()
    topic = Topic(broker, "presence")
    topic.tell(WENT)
    topic.tell(Typing(GROUP, BOB, True, 8))
    assert [(name, key, decode(value)) for name, key, value, _ in broker.sent] == [
        ("presence", ANN, WENT),
        ("presence", GROUP, Typing(GROUP, BOB, True, 8)),
    ]
    assert [within for *_, within in broker.sent] == [
        store_module.CONNECTED_WITHIN_S,
        store_module.TOLD_WITHIN_S,
    ]


def test_the_first_that_is_told_waits_for_the_connection_and_what_comes_later_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "TOLD_WITHIN_S", 0.05)
    monkeypatch.setattr(store_module, "CONNECTED_WITHIN_S", 2.0)
    broker = Broker(0.3, 0.0, 0.3)
    topic = Topic(broker, "presence")
    for record in (CAME, WENT):
        topic.tell(record)
    assert [decode(value) for _, _, value, _ in broker.sent] == [CAME, WENT]
    timed(lambda: topic.tell(CAME), 0.25)  # it has failed, with a connection that was there
    assert len(broker.sent) == 2


def test_the_connection_begins_before_anything_is_told_and_holds_nobody_up() -> None:
    broker = Broker(0.3)
    topic = Topic(broker, "presence")
    timed(topic.prepare, 0.2)
    topic.tell(CAME)
    assert broker.prepared.is_set()
    assert len(broker.sent) == 1


def test_a_connection_that_cannot_be_begun_is_tried_again_by_the_first_that_is_told() -> None:
    broker = Broker(fails=Unavailable("away"))
    topic = Topic(broker, "presence")
    topic.prepare()
    topic._pool.submit(lambda: None).result(5)
    broker.fails = None
    topic.tell(CAME)
    assert len(broker.sent) == 1


def test_a_topic_that_hangs_holds_nobody_up_and_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_module, "CONNECTED_WITHIN_S", 0.2)
    broker = Broker(1.0)
    topic = Topic(broker, "presence")
    timed(lambda: topic.tell(CAME), 0.7)
    timed(lambda: topic.tell(WENT), 0.1)
    topic._pool.shutdown()
    assert len(broker.sent) == 1


def test_a_topic_that_stays_away_is_left_alone_for_longer_each_time_and_for_a_minute_at_most() -> None:
    now, broker = [0.0], Broker(fails=Unavailable("away"))
    topic = Topic(broker, "presence", clock=lambda: now[0])
    asked: list[float] = []
    send_all = broker.send_all

    def note(*arguments: Any) -> None:
        asked.append(now[0])
        send_all(*arguments)

    broker.send_all = note  # type: ignore[assignment, method-assign]
    for second in range(300):
        now[0] = float(second)
        topic.tell(CAME)
    assert asked == [0, 5, 15, 35, 75, 135, 195, 255]
    broker.fails = None
    now[0] = 315.0
    topic.tell(CAME)
    broker.fails = Unavailable("away")
    topic.tell(CAME)
    now[0] = 320.0
    topic.tell(CAME)
    assert asked[-3:] == [315, 315, 320], "once it was there, it counts anew"


def test_threads_that_fail_together_are_one_failure() -> None:
    now, broker = [0.0], Broker(0.2, 0.2, 0.2, 0.2, fails=Unavailable("away"))
    topic = Topic(broker, "presence", threads=4, clock=lambda: now[0])
    callers = [threading.Thread(target=topic.tell, args=(CAME,)) for _ in range(4)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    broker.fails = None
    now[0] = store_module.UNTOLD_S
    topic.tell(CAME)
    assert len(broker.sent) == 1


@pytest.mark.parametrize("problem", [Unavailable("away"), RuntimeError("a fault of ours")])
def test_a_topic_that_fails_fails_nobody(problem: Exception) -> None:
    Topic(Broker(fails=problem), "presence").tell(CAME)


# The handler


@pytest.fixture
def handler(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The function, as API Gateway calls it: `handler(route, frame, user)`."""
    monkeypatch.setattr(socket, "services_of", lambda _: platform.services)

    def call(route: str, frame: Any = None, user: str = ANN, **context: Any) -> dict[str, Any]:
        event = {
            "requestContext": {
                "routeKey": route,
                "connectionId": "c1",
                "connectedAt": 1_000,
                "requestId": "request",
                "domainName": "a1b2c3.execute-api.eu-central-1.amazonaws.com",
                "stage": "live",
                "authorizer": {"user": user, "device": "phone", "principalId": user},
                **context,
            },
            "body": frame if isinstance(frame, str) or frame is None else json.dumps(frame),
        }
        return socket.handler(event, CONTEXT)

    return call


def test_the_handler_connects_beats_types_and_disconnects(
    platform: Platform, handler: Callable[..., dict[str, Any]]
) -> None:
    platform.chat(GROUP, ANN, BOB)
    assert handler("$connect") == {"statusCode": 200}
    answer = handler("heartbeat", {"action": "heartbeat", "watch": [BOB]})
    assert json.loads(answer["body"]) == {
        "type": "alive",
        "users": {BOB: {"online": False, "last_seen": None}},
    }
    assert handler("typing", {"action": "typing", "chat": GROUP, "on": True}) == {"statusCode": 200}
    assert handler("$disconnect") == {"statusCode": 200}
    assert [type(each).__name__ for each in platform.told.records] == ["Presence", "Typing", "Presence"]


@pytest.mark.parametrize(
    ("user", "connected_at", "status"), [(EVE, 1_000, 404), (ANN, 500, 409), (ANN, 3_000, 200)]
)
def test_a_connection_is_refused_with_a_status(
    platform: Platform,
    handler: Callable[..., dict[str, Any]],
    user: str,
    connected_at: int,
    status: int,
) -> None:
    logic.connect(at(ANN, "c0", 1_000), platform.services)
    assert handler("$connect", user=user, connectedAt=connected_at)["statusCode"] == status


@pytest.mark.parametrize(
    ("route", "frame", "reason"),
    [
        ("heartbeat", "{", "malformed"),
        ("heartbeat", "[" * 100_000, "malformed"),
        ("heartbeat", [], "malformed"),
        ("heartbeat", None, "malformed"),
        ("heartbeat", {"watch": "ann"}, "malformed"),
        ("heartbeat", {"watch": [7]}, "malformed"),
        ("heartbeat", {"watch": ["a#b"]}, "malformed"),
        ("heartbeat", {"watch": [f"u{number}" for number in range(MOST_WATCHED + 1)]}, "refused"),
        ("typing", {"chat": "x", "on": True}, "malformed"),
        ("typing", {"chat": GROUP, "on": 1}, "malformed"),
        ("typing", {"chat": GROUP, "on": True, "id": "m1"}, "not_found"),
        ("nonsense", {}, "malformed"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    handler: Callable[..., dict[str, Any]], route: str, frame: Any, reason: str
) -> None:
    answer = handler(route, frame)
    document = json.loads(answer["body"])
    assert (answer["statusCode"], document["type"], document["action"]) == (200, "refused", route)
    assert document["reason"] == reason
    assert document.get("id") == (frame.get("id") if isinstance(frame, dict) else None)


def test_a_store_that_is_busy_is_refused_as_unavailable(
    platform: Platform, handler: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any) -> Any:
        raise Unavailable("the store is busy; try again")

    monkeypatch.setattr(platform.store, "sights", busy)
    assert json.loads(handler("heartbeat", {"watch": [BOB]})["body"])["reason"] == "unavailable"
    monkeypatch.setattr(platform.people, "connect", busy)
    assert handler("$connect")["statusCode"] == 503


def test_the_process_has_one_of_everything_and_asks_nobody_but_kafka_at_its_start(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker()
    monkeypatch.setattr("lambdas.shared.kafka.Producer", lambda _: broker)
    for made in (store_module.store, store_module.people, store_module.topic):
        made.cache_clear()
    context = {"domainName": "a1b2c3.execute-api.eu-central-1.amazonaws.com", "stage": "live"}
    services = socket.services_of(context)
    again = socket.services_of(context)
    assert services.store is again.store
    assert services.sockets is again.sockets
    assert "_client" not in vars(store_module.store()._cache)
    assert broker.prepared.wait(5)
    store_module.topic.cache_clear()


# Guards: each is taken away, and a test above turns red.


def test_without_the_condition_the_end_of_an_old_connection_would_end_the_new_one(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "IF_STILL_THIS", "attribute_exists(entry) OR #connection = :connection")
    with pytest.raises(AssertionError):
        test_the_end_of_an_old_connection_leaves_the_new_one(platform)


@pytest.mark.parametrize(
    "test",
    [
        test_a_connection_that_comes_late_is_refused,
        test_a_late_connection_takes_no_newer_ones_place_whoever_notes_it,
    ],
)
def test_without_the_condition_a_late_connection_would_take_the_place_of_a_newer_one(
    test: Callable[[Platform], None], platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "IF_NONE_IS_NEWER", ":at = :at")
    with pytest.raises(pytest.fail.Exception):
        test(platform)


def test_without_looking_for_another_connection_one_that_is_noted_nowhere_would_stay_deaf(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logic, "_settle", lambda *_: None)
    with pytest.raises(AssertionError):
        test_a_connection_that_is_noted_nowhere_is_noted_again_with_its_heartbeat(platform)


def test_without_the_privacy_everybody_would_be_seen(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logic, "visible", lambda *_: True)
    with pytest.raises(AssertionError):
        test_hidden_looks_like_never_seen_also_for_one_who_went(platform)


def test_without_the_membership_a_stranger_could_type(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform.store, "place", lambda *_: logic.Place(2, None))
    with pytest.raises(pytest.fail.Exception):
        test_a_stranger_may_not_type_and_learns_nothing(platform)


def test_without_the_rest_everybody_would_wait_for_a_cache_that_is_away(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.messaging_platform.presence.cache.REST_S", 0.0)
    with pytest.raises(AssertionError):
        test_a_cache_that_did_not_answer_is_left_alone_for_a_while(server)


def test_the_caps_are_those_that_the_design_speaks_of() -> None:
    assert (MOST_WATCHERS, 4 * MOST_WATCHED) == (200, 100)
