"""Pushes, on tables, a topic and a scheduler of an AWS in the process: one for a chat, never lost, never at night."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.notifications import logic, push
from lambdas.messaging_platform.notifications import store as store_module
from lambdas.messaging_platform.notifications.logic import (
    DAY_MINUTES,
    LEASE_S,
    OUTSTANDING_S,
    Busy,
    Message,
    Standing,
    Unreadable,
    notice,
    quiet_until,
    read,
    write,
)
from lambdas.messaging_platform.notifications.store import Store, schedule_name
from lambdas.messaging_platform.records import Event, Kind, encode
from lambdas.messaging_platform.settings import NotifySettings
from lambdas.shared.errors import Unavailable

pytestmark = pytest.mark.fast

ANN, BOB, DEVICE = "ann", "bob", "phone"
CHAT, OTHER_CHAT = keys.direct_chat("ann", "bob"), "g-" + "a" * 32
NOON = int(datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()) * 1000
RETRIED_AFTER_MS = 60_000  # SQS's visibility timeout: six times what the function may run, or more
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:pushes"


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Town:
    """A user with a device that is away, and what is pushed to it."""

    settings: NotifySettings
    clients: dict[str, Any]
    store: Store
    receiver: tuple[str, str]  # of what is published: the queue's URL and its name
    now: int = NOON
    seq: int = 0
    sent: list[int] = field(default_factory=list)

    def put(self, table: str, **attributes: Any) -> None:
        item = {
            name: {"N": str(value)} if isinstance(value, int) else {"S": value}
            for name, value in attributes.items()
        }
        self.clients["dynamodb"].put_item(TableName=table, Item=item)

    def profile(self, **quiet: int) -> None:
        self.put(self.settings.people_table, user=ANN, entry=keys.PROFILE, name="Ann", **quiet)

    def arrive(
        self, seq: int, chat: str = CHAT, kind: Kind = "message", sender: str = BOB, device: str = DEVICE
    ) -> Message:
        """An event waits in the inbox; the message that fan-out puts into the queue for it."""
        event = Event(
            chat, seq, kind, sender, "desk", f"m{seq}", self.now, target=1 if kind != "message" else None
        )
        self.put(
            self.settings.inboxes_table,
            device=keys.inbox(ANN, device),
            entry=keys.inbox_entry(chat, seq),
            event=encode(event).decode(),
        )
        return Message(ANN, device, chat, seq, self.now)

    def ack(self, seq: int, chat: str = CHAT) -> None:
        self.clients["dynamodb"].delete_item(
            TableName=self.settings.inboxes_table,
            Key={"device": {"S": keys.inbox(ANN, DEVICE)}, "entry": {"S": keys.inbox_entry(chat, seq)}},
        )

    def member(self, chat: str = CHAT, **attributes: int) -> None:
        self.put(self.settings.chats_table, chat=chat, entry=keys.member(ANN), user=ANN, **attributes)

    def handle(self, message: Message) -> str:
        return logic.handle(message, self.now, self.store)

    def pushes(self) -> list[dict[str, Any]]:
        """What was published, taken from its receiver: the bodies, with the attributes as `attributes`."""
        url, found = self.receiver[0], []
        while (
            batch := self.clients["sqs"].receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages")
        ):
            for each in batch:
                envelope = json.loads(each["Body"])
                told = {name: value["Value"] for name, value in envelope["MessageAttributes"].items()}
                found.append({**json.loads(envelope["Message"]), "attributes": told})
                self.clients["sqs"].delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return found

    def schedules(self) -> list[dict[str, Any]]:
        scheduler = self.clients["scheduler"]
        listed = scheduler.list_schedules(GroupName=self.settings.schedule_group)["Schedules"]
        return [
            scheduler.get_schedule(GroupName=self.settings.schedule_group, Name=each["Name"])
            for each in listed
        ]

    def fire(self) -> list[Message]:
        """What the scheduler sends at the time of its schedules, which it deletes after."""
        fired = []
        for each in self.schedules():
            moment = datetime.strptime(each["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(
                tzinfo=UTC
            )
            self.now = max(self.now, int(moment.timestamp()) * 1000)
            fired.append(read(each["Target"]["Input"]))
            self.clients["scheduler"].delete_schedule(
                GroupName=self.settings.schedule_group, Name=each["Name"]
            )
        return fired


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        make: Any = boto3.client
        with mock_aws():
            yield {name: make(name) for name in ("dynamodb", "sns", "sqs", "scheduler")}


@pytest.fixture
def town(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Town:
    run = uuid.uuid4().hex[:8]
    tables = {
        "people": ("user", "entry"),
        "chats": ("chat", "entry"),
        "inboxes": ("device", "entry"),
        "pushes": ("device", "chat"),
    }
    for name, parts in tables.items():
        clients["dynamodb"].create_table(
            TableName=f"{name}-{run}",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(parts, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in parts],
        )
    clients["scheduler"].create_schedule_group(Name=f"group-{run}")
    topic = clients["sns"].create_topic(Name=f"pushes-{run}")["TopicArn"]
    url = clients["sqs"].create_queue(QueueName=f"channel-{run}")["QueueUrl"]
    arn = clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    clients["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    settings = NotifySettings(
        people_table=f"people-{run}",
        chats_table=f"chats-{run}",
        inboxes_table=f"inboxes-{run}",
        pushes_table=f"pushes-{run}",
        push_topic_arn=topic,
        push_queue_arn=QUEUE,
        schedule_group=f"group-{run}",
        schedule_role_arn="arn:aws:iam::123456789012:role/scheduler",
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    made = Town(settings, clients, Store(settings, clients.__getitem__), (url, f"channel-{run}"))
    made.profile()
    made.put(settings.people_table, user=ANN, entry=keys.device(DEVICE), platform="ios", push_token="token")
    made.member(read=0)
    made.member(OTHER_CHAT, read=0)
    store_module.store.cache_clear()
    return made


# What is pushed, and what is not


def test_a_device_that_is_away_is_told_where_there_is_something_and_not_what(town: Town) -> None:
    assert town.handle(town.arrive(3)) == "pushed"
    [pushed] = town.pushes()
    assert pushed.pop("attributes") == {"user": ANN, "device": DEVICE, "platform": "ios"}
    assert pushed == {"v": 1, "user": ANN, "device": DEVICE, "chat": CHAT, "seq": 3, "at": NOON}


def test_a_message_that_the_device_has_is_not_pushed(town: Town) -> None:
    message = town.arrive(3)
    town.ack(3)
    assert (town.handle(message), town.pushes()) == ("acked", [])


@pytest.mark.parametrize(("cursor", "outcome"), [(2, "pushed"), (3, "read"), (9, "read")])
def test_a_message_that_its_user_has_read_is_not_pushed(town: Town, cursor: int, outcome: str) -> None:
    message = town.arrive(3)
    town.member(read=cursor)
    assert town.handle(message) == outcome


def test_a_device_that_is_not_registered_any_more_is_not_pushed(town: Town) -> None:
    assert (town.handle(town.arrive(3, device="sold")), town.pushes()) == ("unregistered", [])


@pytest.mark.parametrize(("until", "outcome"), [(2, "left"), (3, "pushed")])
def test_who_was_removed_hears_of_nothing_after_that(town: Town, until: int, outcome: str) -> None:
    message = town.arrive(3)
    town.member(read=0, until=until)
    assert town.handle(message) == outcome


def test_a_stranger_to_the_chat_hears_nothing(town: Town) -> None:
    assert town.handle(town.arrive(3, chat="g-" + "f" * 32)) == "left"


# One for a chat


def test_the_next_messages_of_a_chat_are_not_pushed_until_their_user_has_read_past_the_push(
    town: Town,
) -> None:
    outcomes = [town.handle(town.arrive(seq)) for seq in (3, 4, 5)]
    assert outcomes == ["pushed", "outstanding", "outstanding"]
    assert town.handle(town.arrive(1, chat=OTHER_CHAT)) == "pushed"
    town.member(read=2)
    assert town.handle(town.arrive(6)) == "outstanding"
    town.member(read=3)
    assert town.handle(town.arrive(7)) == "pushed"
    assert [each["seq"] for each in town.pushes()] == [3, 1, 7]


def test_a_message_delivered_twice_is_pushed_once(town: Town) -> None:
    message = town.arrive(3)
    assert [town.handle(message), town.handle(message)] == ["pushed", "outstanding"]
    assert len(town.pushes()) == 1


def test_a_push_that_nobody_followed_is_forgotten_in_the_end(town: Town) -> None:
    town.handle(town.arrive(3))
    town.now += OUTSTANDING_S * 1000 - 1000
    assert town.handle(town.arrive(4)) == "outstanding"
    town.now += 2000
    assert town.handle(town.arrive(5)) == "pushed"


def test_of_two_at_once_one_is_pushed_and_the_other_comes_again(town: Town) -> None:
    """The other one does not count on the first, which may be about to die."""
    first, second = town.arrive(3), town.arrive(4)
    publish, met = town.store.publish, []

    def meanwhile(message: Message, platform: str) -> None:
        with pytest.raises(Busy):
            town.handle(second)
        met.append(message.seq)
        publish(message, platform)

    town.store.publish = meanwhile  # type: ignore[method-assign]
    assert town.handle(first) == "pushed"
    town.store.publish = publish  # type: ignore[method-assign]
    town.now += RETRIED_AFTER_MS
    assert town.handle(second) == "outstanding"
    assert (met, len(town.pushes())) == ([3], 1)


# Crashes and a channel that fails


def test_a_crash_before_publishing_delays_a_push_and_loses_none(town: Town) -> None:
    message = town.arrive(3)
    crash(town, before=True)
    with pytest.raises(Crash):
        town.handle(message)
    assert town.pushes() == []
    with pytest.raises(Busy):
        town.handle(town.arrive(4))
    town.now += RETRIED_AFTER_MS
    assert town.handle(message) == "pushed"
    assert town.handle(town.arrive(5)) == "outstanding"
    assert len(town.pushes()) == 1


def test_a_crash_after_publishing_repeats_a_push_once(town: Town) -> None:
    message = town.arrive(3)
    crash(town, before=False)
    with pytest.raises(Crash):
        town.handle(message)
    town.now += RETRIED_AFTER_MS
    assert [town.handle(message), town.handle(message), town.handle(town.arrive(4))] == [
        "pushed",
        "outstanding",
        "outstanding",
    ]
    assert len(town.pushes()) == 2


def test_after_a_crash_another_message_of_the_chat_is_pushed_in_the_place_of_the_first(town: Town) -> None:
    message = town.arrive(3)
    crash(town, before=True)
    with pytest.raises(Crash):
        town.handle(message)
    town.now += LEASE_S * 1000
    assert town.handle(town.arrive(4)) == "pushed"
    assert town.handle(message) == "outstanding"


def test_a_lease_outlasts_publishing_and_ends_before_the_message_comes_again(town: Town) -> None:
    config = Store(town.settings)._sns.meta.config
    tries = config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
    assert tries < LEASE_S / 2
    assert LEASE_S * 1000 < RETRIED_AFTER_MS


def crash(town: Town, *, before: bool) -> None:
    """Let the process die once, before or after it publishes."""
    publish = town.store.publish

    def dying(message: Message, platform: str) -> None:
        town.store.publish = publish  # type: ignore[method-assign]
        if not before:
            publish(message, platform)
        raise Crash

    town.store.publish = dying  # type: ignore[method-assign]


def test_a_channel_that_fails_is_tried_again_at_once_by_whoever_comes(town: Town) -> None:
    message = town.arrive(3)
    publish = town.store.publish

    def refuse(*_: Any) -> None:
        raise Unavailable("the channel is away")

    town.store.publish = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        town.handle(message)
    with pytest.raises(Unavailable):
        town.handle(town.arrive(4))
    town.store.publish = publish  # type: ignore[method-assign]
    assert [town.handle(message), len(town.pushes())] == ["pushed", 1]


@pytest.mark.parametrize("lost", ["settle", "release"])
def test_what_cannot_be_noted_after_publishing_raises_nothing_of_its_own(town: Town, lost: str) -> None:
    def busy(*_: Any) -> None:
        raise Unavailable("the store is busy")

    setattr(town.store, lost, busy)
    if lost == "settle":
        assert town.handle(town.arrive(3)) == "pushed"
        return
    town.store.publish = lambda *_: (_ for _ in ()).throw(ConnectionResetError)  # type: ignore[method-assign]
    with pytest.raises(ConnectionResetError):
        town.handle(town.arrive(3))


def test_who_settles_late_leaves_the_lease_of_the_next_one(town: Town) -> None:
    first, second = town.arrive(3), town.arrive(4)
    old = town.store.claim(first, 0, town.now)
    assert old is not None
    town.now += LEASE_S * 1000
    new = town.store.claim(second, 0, town.now)
    town.store.settle(old)
    town.store.release(old)
    with pytest.raises(Busy):
        town.store.claim(first, 0, town.now)
    assert new is not None


def test_a_claim_whose_answer_was_lost_finds_itself(town: Town) -> None:
    message = town.arrive(3)
    lease = town.store.claim(message, 0, town.now)
    assert town.store.claim(message, 0, town.now) == lease


# Quiet hours

_NIGHT = {"quiet_from": 22 * 60, "quiet_to": 7 * 60}


def utc(hour: int, minute: int = 0, day: int = 4) -> int:
    return int(datetime(2026, 3, day, hour, minute, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("now", "quiet", "ends"),
    [
        (utc(23), _NIGHT, utc(7, day=5)),
        (utc(22), _NIGHT, utc(7, day=5)),
        (utc(21, 59), _NIGHT, None),
        (utc(6, 59), _NIGHT, utc(7)),
        (utc(7), _NIGHT, None),
        (utc(12), {"quiet_from": 720, "quiet_to": 780}, utc(13)),
        (utc(13), {"quiet_from": 720, "quiet_to": 780}, None),
        (utc(20), {**_NIGHT, "utc_offset": 120}, utc(5, day=5)),
        (utc(1), {**_NIGHT, "utc_offset": -180}, utc(10)),
        (utc(12), {"quiet_from": 600, "quiet_to": 600}, None),
        (utc(12), {"quiet_from": 600}, None),
        (utc(12), {}, None),
    ],
)
def test_quiet_hours_are_the_users_own_and_may_cross_midnight(
    now: int, quiet: dict[str, int], ends: int | None
) -> None:
    assert quiet_until(Standing("ios", True, 0, None, **quiet), now) == ends


@given(
    now=st.integers(1_700_000_000, 1_900_000_000),
    first=st.integers(0, DAY_MINUTES - 1),
    last=st.integers(0, DAY_MINUTES - 1),
    offset=st.integers(-720, 840),
)
def test_quiet_hours_end_at_their_minute_within_a_day_and_are_over_then(
    now: int, first: int, last: int, offset: int
) -> None:
    standing = Standing("ios", True, 0, None, quiet_from=first, quiet_to=last, utc_offset=offset)
    minute = (now // 60 + offset) % DAY_MINUTES
    is_quiet = first <= minute < last if first <= last else minute >= first or minute < last
    ends = quiet_until(standing, now)
    assert (ends is not None) == is_quiet
    if ends is not None:
        assert now < ends <= now + 86_400
        assert (ends // 60 + offset) % DAY_MINUTES == last
        assert quiet_until(standing, ends) is None


def test_what_comes_at_night_waits_in_one_schedule_until_the_morning(town: Town) -> None:
    town.profile(**_NIGHT)
    town.now = utc(23) * 1000
    assert [town.handle(town.arrive(seq)) for seq in (3, 4)] == ["deferred", "deferred"]
    assert town.handle(town.arrive(1, chat=OTHER_CHAT)) == "deferred"
    assert town.pushes() == []
    first, second = town.schedules()
    assert first["Name"] != second["Name"]
    for each in (first, second):
        assert each["ScheduleExpression"] == "at(2026-03-05T07:00:00)"
        assert (each["ActionAfterCompletion"], each["Target"]["Arn"]) == ("DELETE", QUEUE)
        assert each["Target"]["RoleArn"] == town.settings.schedule_role_arn
        assert re.fullmatch(r"[0-9a-zA-Z_.-]{1,64}", each["Name"])
    assert [town.handle(each) for each in town.fire()] == ["pushed", "pushed"]
    assert sorted((each["chat"], each["seq"]) for each in town.pushes()) == [(CHAT, 3), (OTHER_CHAT, 1)]


def test_what_is_read_by_the_morning_is_not_pushed(town: Town) -> None:
    town.profile(**_NIGHT)
    town.now = utc(23) * 1000
    town.handle(town.arrive(3))
    town.member(read=3)
    assert [town.handle(each) for each in town.fire()] == ["read"]


def test_the_one_that_waited_stands_for_all_that_came_after_it(town: Town) -> None:
    """The device comes for a moment and takes the first; the second found the schedule there, and left it."""
    town.profile(**_NIGHT)
    town.now = utc(23) * 1000
    town.handle(town.arrive(3))
    town.ack(3)
    town.handle(town.arrive(4))
    town.arrive(5, kind="edit")
    town.arrive(6, sender=ANN)
    assert [town.handle(each) for each in town.fire()] == ["pushed"]
    assert [each["seq"] for each in town.pushes()] == [4]


def test_the_one_that_waited_and_was_read_elsewhere_stands_for_what_was_not(town: Town) -> None:
    """Their user read it on another device; what came after it, nobody has."""
    town.profile(**_NIGHT)
    town.now = utc(23) * 1000
    assert [town.handle(town.arrive(seq)) for seq in (3, 4)] == ["deferred", "deferred"]
    town.member(read=3)
    assert [town.handle(each) for each in town.fire()] == ["pushed"]
    assert [each["seq"] for each in town.pushes()] == [4]


def test_the_one_that_waited_for_nothing_is_dropped(town: Town) -> None:
    town.profile(**_NIGHT)
    town.now = utc(23) * 1000
    town.handle(town.arrive(3))
    town.ack(3)
    for seq in range(10, 40):
        town.arrive(seq, kind="edit")
    assert [town.handle(each) for each in town.fire()] == ["acked"]


def test_the_schedule_of_one_night_does_not_stand_in_for_the_nexts(town: Town) -> None:
    """A schedule that fired is there for a while; and somebody may turn to other hours meanwhile."""
    message = Message(ANN, DEVICE, CHAT, 3, NOON)
    assert schedule_name(message, 1) == schedule_name(replace(message, seq=4, at=0, deferred=True), 1)
    assert schedule_name(message, 1) != schedule_name(message, 2)
    assert schedule_name(message, 1) != schedule_name(replace(message, device="tablet"), 1)


def test_a_scheduler_that_refuses_raises_and_the_message_comes_again(town: Town) -> None:
    class Scheduler:
        def create_schedule(self, **_: Any) -> None:
            answer: Any = {
                "Error": {"Code": "AccessDeniedException"},
                "ResponseMetadata": {"HTTPStatusCode": 403},
            }
            raise ClientError(answer, "CreateSchedule")

    town.profile(**_NIGHT)
    town.now = utc(23) * 1000
    town.store = Store(town.settings, {**town.clients, "scheduler": Scheduler()}.__getitem__)
    with pytest.raises(ClientError):
        town.handle(town.arrive(3))


# The queue


def test_a_message_is_read_as_it_was_written() -> None:
    message = Message(ANN, DEVICE, CHAT, 3, NOON)
    assert read(write(message)) == message
    assert read(write(replace(message, deferred=True))).deferred
    assert "deferred" not in notice(replace(message, deferred=True))


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[" * 100_000,
        "[]",
        "{}",
        json.dumps({"v": 2, "user": "a", "device": "b", "chat": "c", "seq": 1, "at": 1}),
        json.dumps({"v": 1, "user": "a", "device": "b", "chat": "c", "seq": "1", "at": 1}),
        json.dumps({"v": 1, "user": "a", "device": "b", "chat": "c", "seq": True, "at": 1}),
        json.dumps({"v": 1, "user": "a", "device": "", "chat": "c", "seq": 1, "at": 1}),
        json.dumps({"v": 1, "user": "a", "device": "b", "seq": 1, "at": 1}),
    ],
)
def test_what_is_no_message_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_what_fan_out_adds_to_a_message_is_left_aside() -> None:
    body = {"v": 1, "user": "a", "device": "b", "chat": "c", "seq": 1, "at": 2, "sender": "d"}
    assert read(json.dumps(body)) == Message("a", "b", "c", 1, 2)


@pytest.fixture
def deliver(town: Town, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hand bodies to the function, with so many milliseconds left; the places of those that failed."""
    monkeypatch.setattr(push, "store", lambda: town.store)
    monkeypatch.setattr(push, "time", SimpleNamespace(time=lambda: town.now / 1000))

    def call(bodies: Sequence[str], left_ms: Sequence[int] = ()) -> list[int]:
        remaining = iter(left_ms or [10_000] * len(bodies))
        context = SimpleNamespace(
            aws_request_id="function-request", get_remaining_time_in_millis=lambda: next(remaining)
        )
        records = [{"messageId": f"m-{place}", "body": body} for place, body in enumerate(bodies)]
        failures = push.handler({"Records": records}, context)["batchItemFailures"]
        return [int(each["itemIdentifier"].removeprefix("m-")) for each in failures]

    return call


def test_what_fails_fails_alone(town: Town, deliver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = [write(town.arrive(3)), "{", write(town.arrive(1, chat=OTHER_CHAT))]
    publish = town.store.publish

    def failing(message: Message, platform: str) -> None:
        if message.chat == CHAT:
            raise EndpointConnectionError(endpoint_url="https://sns.eu-central-1.amazonaws.com")
        publish(message, platform)

    monkeypatch.setattr(town.store, "publish", failing)
    assert deliver(bodies) == [0, 1]
    assert [each["chat"] for each in town.pushes()] == [OTHER_CHAT]


def test_what_is_busy_comes_again(town: Town, deliver: Any) -> None:
    town.store.claim(town.arrive(3), 0, town.now)
    assert deliver([write(town.arrive(4))]) == [0]
    town.now += RETRIED_AFTER_MS
    assert deliver([write(town.arrive(4))]) == []


def test_what_there_is_no_time_for_comes_again(town: Town, deliver: Any) -> None:
    bodies = [write(town.arrive(3)), write(town.arrive(1, chat=OTHER_CHAT))]
    assert deliver(bodies, [10_000, push.SECONDS_PER_PUSH * 1000 - 1]) == [1]


def test_a_topic_that_is_throttled_or_away_is_unavailable(town: Town) -> None:
    class Sns:
        def publish(self, **_: Any) -> None:
            answer: Any = {"Error": {"Code": "Throttled"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
            raise ClientError(answer, "Publish")

    store = Store(town.settings, {**town.clients, "sns": Sns()}.__getitem__)
    with pytest.raises(Unavailable):
        store.publish(town.arrive(3), "ios")


def test_a_read_that_leaves_something_out_is_unavailable_and_nothing_is_dropped(town: Town) -> None:
    class Busy:
        def batch_get_item(self, **request: Any) -> Any:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    store = Store(town.settings, {"dynamodb": Busy()}.__getitem__)
    with pytest.raises(Unavailable):
        store.standing(town.arrive(3))


# Guards: each is taken away, and a test above turns red.


def test_without_the_condition_every_message_of_a_chat_would_be_pushed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = f"{store_module.IF_NONE_IS_OUTSTANDING} OR attribute_exists(device)"
    monkeypatch.setattr(store_module, "IF_NONE_IS_OUTSTANDING", always)
    with pytest.raises(AssertionError):
        test_the_next_messages_of_a_chat_are_not_pushed_until_their_user_has_read_past_the_push(town)


def test_without_an_end_of_the_lease_a_crash_would_lose_the_push(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = store_module.IF_NONE_IS_OUTSTANDING.replace(
        "lease <= :now ", "lease < :read AND lease <= :now "
    )
    monkeypatch.setattr(store_module, "IF_NONE_IS_OUTSTANDING", endless)
    with pytest.raises(Busy):
        test_a_crash_before_publishing_delays_a_push_and_loses_none(town)


def test_without_settling_the_next_message_would_be_pushed_too(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(town.store, "settle", lambda _: None)
    with pytest.raises((AssertionError, Busy)):
        test_a_message_delivered_twice_is_pushed_once(town)


def test_without_the_inbox_what_the_device_has_would_be_pushed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = town.store.standing
    monkeypatch.setattr(town.store, "standing", lambda each: replace(standing(each), is_waiting=True))
    with pytest.raises(AssertionError):
        test_a_message_that_the_device_has_is_not_pushed(town)


def test_without_its_end_in_the_name_one_night_would_stand_in_for_the_next(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = schedule_name
    monkeypatch.setitem(globals(), "schedule_name", lambda message, _: real(message, 0))
    with pytest.raises(AssertionError):
        test_the_schedule_of_one_night_does_not_stand_in_for_the_nexts(town)
