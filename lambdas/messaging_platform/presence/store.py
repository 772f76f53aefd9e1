"""Where presence is noted: in the cache, and without it in the table `presence`; and what decides who sees it.

The cache is asked first, always: one that answers again is used again, with nothing to be done. While it does not, a
heartbeat is an item of the table, states are read there, nobody is told that somebody came or went, nobody looks what
waits for who went, and nothing is said of typing. Who is not in the table, because their last heartbeat went to the
cache, is offline until the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.people import LastSeen, People, Profile
from lambdas.messaging_platform.presence.cache import Heard, PresenceCache, State
from lambdas.messaging_platform.presence.logic import Place, Sight
from lambdas.messaging_platform.records import Presence, Typing, encode
from lambdas.messaging_platform.settings import PresenceSettings
from lambdas.shared.errors import Unavailable
from lambdas.shared.observability import count, logger
from lambdas.shared.sdk import READ_AT_ONCE, batches, bounded, bounded_client
from lambdas.shared.valkey import connect

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEPT_S = 86_400  # how long a heartbeat stays in the table
TOLD_WITHIN_S = 2.0  # also to a broker that is met for the first time
CONNECTED_WITHIN_S = 4.0  # and told; on a slow machine, TLS and a token alone take more than a second
# How long nobody waits for a topic that did not answer: at first, and at most while it goes on not to.
UNTOLD_S, LONGEST_UNTOLD_S = 5.0, 60.0


class PresenceTable:
    """Heartbeats without the cache. `clock` is the process's own, in seconds: there is no other."""

    def __init__(
        self,
        table: str,
        alive_seconds: int,
        *,
        client: Callable[[], DynamoDBClient] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._alive_seconds = alive_seconds
        self._make = client or _dynamodb
        self._clock = clock

    def heartbeat(self, user: str, device: str) -> None:
        """Note that a device is here."""
        now = int(self._clock())
        item = _key(user, device) | {
            "alive_at": {"N": str(now)},
            "expires_at": {"N": str(now + KEPT_S)},
        }
        with bounded():
            self._dynamodb.put_item(TableName=self._table, Item=cast(Any, item))

    def gone(self, user: str, device: str) -> None:
        """Forget a device."""
        with bounded():
            self._dynamodb.delete_item(TableName=self._table, Key=cast(Any, _key(user, device)))

    def state(self, user: str) -> State:
        """How a user is, as far as the table knows."""
        with bounded():
            items = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="#user = :user",
                ExpressionAttributeNames={"#user": "user"},
                ExpressionAttributeValues={":user": {"S": user}},
            )["Items"]
        latest = max((int(item["alive_at"]["N"]) for item in items), default=0)
        online = self._is_alive(latest)
        return State(online, None if online or not latest else latest * 1000)

    def is_alive(self, inboxes: Iterable[str]) -> set[str]:
        """Those of the devices ("<user>#<device>") that were heard of in time."""
        wanted = [_key(*keys.owner_of(inbox)) for inbox in dict.fromkeys(inboxes)]
        items = _all_of(self._dynamodb, self._table, wanted)
        return {
            keys.inbox(item["user"]["S"], item["device"]["S"])
            for item in items
            if self._is_alive(int(item["alive_at"]["N"]))
        }

    def _is_alive(self, alive_at: int) -> bool:
        return alive_at + self._alive_seconds > self._clock()

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make()


class Store:
    """Presence, for functions and gateways alike. One for the life of the process; threads may share it."""

    def __init__(
        self,
        cache: PresenceCache,
        table: PresenceTable,
        *,
        people_table: str,
        chats_table: str,
        client: Callable[[], DynamoDBClient] | None = None,
    ) -> None:
        self._cache = cache
        self._table = table
        self._people_table = people_table
        self._chats_table = chats_table
        self._make = client or _dynamodb

    # Who is here

    def heartbeat_and_look(
        self, user: str, device: str, connection: str, users: Sequence[str], *, is_noted: bool = False
    ) -> tuple[Heard, dict[str, State | None]]:
        """Note that a device is here by this connection (`is_noted`: the one in its row); and how users are, None
        where nobody has decided that it may know.
        """
        try:
            return self._cache.heartbeat_and_look(user, device, connection, users, is_noted=is_noted)
        except Unavailable as problem:
            _note_absence(problem)
        self._table.heartbeat(user, device)
        return Heard(came_online=False, moved=False), dict.fromkeys(users)

    def look(self, user: str, device: str, users: Sequence[str]) -> dict[str, State | None]:
        """How users are, whom the device may see."""
        try:
            return self._cache.look(user, device, users)
        except Unavailable as problem:
            _note_absence(problem)
        return {each: self._table.state(each) for each in users}

    def decide(self, user: str, device: str, verdicts: dict[str, bool]) -> None:
        """Note whom a device may see. Without the cache, it is decided each time."""
        try:
            self._cache.decide(user, device, verdicts)
        except Unavailable as problem:
            _note_absence(problem)

    def gone(self, user: str, device: str, connection: str, *, was_noted: bool) -> int | None:
        """A device's connection has ended: when its user was last seen (epoch ms), if they went offline by it.

        `was_noted`: it was the one of the device's row; the cache knows that by itself.
        """
        try:
            return self._cache.gone(user, device, connection)
        except Unavailable as problem:
            _note_absence(problem)
        if was_noted:
            self._table.gone(user, device)
        return None

    def is_alive(self, inboxes: Sequence[str]) -> set[str]:
        """Those of the devices ("<user>#<device>") that were heard of in time."""
        try:
            return self._cache.is_alive(inboxes)
        except Unavailable as problem:
            _note_absence(problem)
        return self._table.is_alive(inboxes)

    def may_type(self, user: str, device: str, chat: str) -> bool:
        """Whether a device may tell about its typing now. Without the cache, none may."""
        try:
            return self._cache.may_type(user, device, chat)
        except Unavailable as problem:
            _note_absence(problem)
        return False

    # Who may see it

    def sights(self, watcher: str, users: Sequence[str]) -> dict[str, Sight]:
        """What decides whether `watcher` may see each of `users`: 4 small items each, eventually consistent."""
        wanted = [
            _person(*each)
            for user in users
            for each in (
                (user, keys.PROFILE),
                (user, keys.contact(watcher)),
                (user, keys.blocked(watcher)),
                (watcher, keys.blocked(user)),
            )
        ]
        # Of oneself, the last two are one.
        asked = list({(key["user"]["S"], key["entry"]["S"]): key for key in wanted}.values())
        found = {
            (item["user"]["S"], item["entry"]["S"]): item
            for item in _all_of(self._dynamodb, self._people_table, asked)
        }
        return {
            user: Sight(
                _profile(user, found.get((user, keys.PROFILE))),
                is_contact=(user, keys.contact(watcher)) in found,
                is_blocked=(user, keys.blocked(watcher)) in found or (watcher, keys.blocked(user)) in found,
            )
            for user in users
        }

    def place(self, chat: str, user: str) -> Place | None:
        """The chat, if the user may act in it; else None, as where there is none. Costs the same for both kinds."""
        items = self._of_two(chat) if keys.is_direct(chat) else self._of_group(chat, user)
        found = {item["entry"]["S"]: item for item in items}
        head, own = found.pop(keys.HEAD, None), found.pop(keys.member(user), None)
        if head is None or own is None or "until" in own:
            return None
        if int(own.get("since", {}).get("N", "0")) > int(head.get("seq", {}).get("N", "0")) + 1:
            return None
        partner = None
        if keys.is_direct(chat):
            partner = next((entry.removeprefix(keys.member("")) for entry in found), None)
        return Place(int(head.get("members", {}).get("N", "0")), partner)

    def _of_two(self, chat: str) -> Sequence[dict[str, Any]]:
        with bounded():
            return cast(
                "list[dict[str, Any]]",
                self._dynamodb.query(
                    TableName=self._chats_table,
                    KeyConditionExpression="chat = :chat",
                    ExpressionAttributeValues={":chat": {"S": chat}},
                    Limit=3,  # the head and both of them
                )["Items"],
            )

    def _of_group(self, chat: str, user: str) -> Sequence[dict[str, Any]]:
        wanted = [{"chat": {"S": chat}, "entry": {"S": entry}} for entry in (keys.HEAD, keys.member(user))]
        return _all_of(self._dynamodb, self._chats_table, wanted)

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make()


class Producing(Protocol):
    """Who writes to Kafka; its promises are at `lambdas.shared.kafka.Producer`."""

    def prepare(self, topic: str, within_s: float) -> None: ...
    def send_all(self, topic: str, messages: Sequence[tuple[str, bytes]], within_s: float) -> None: ...


class Topic:
    """The topic of presence, written with best effort: never longer than its bounds, and never raising.

    A pool of threads sends, so that what the client does before it can send (it asks AWS for the brokers) is within
    the bound too. To connect takes longer than to send: it begins with `prepare`, while whoever is to tell does other
    things first, and what is told before it has once gone well may wait `CONNECTED_WITHIN_S` for it. After a failure
    nobody waits at all for a while, which grows while Kafka stays away. What was not acknowledged is counted and
    forgotten: clients see it when their next heartbeat is answered.
    """

    def __init__(
        self,
        producer: Producing,
        topic: str,
        *,
        threads: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._threads = threads
        self._clock = clock
        self._is_connected = False
        self._failures = 0
        self._rests_until = float("-inf")

    def prepare(self) -> None:
        """Begin to connect, and return at once."""
        self._pool.submit(self._prepare)

    def tell(self, record: Presence | Typing) -> None:
        """Tell of one. Its key is the user who came or went, or the chat that is written in."""
        if self._clock() < self._rests_until:
            count("PresenceUntold")
            return
        key = record.user if isinstance(record, Presence) else record.chat
        within_s = TOLD_WITHIN_S if self._is_connected else CONNECTED_WITHIN_S
        sending = self._pool.submit(self._producer.send_all, self._topic, [(key, encode(record))], within_s)
        try:
            sending.result(within_s)
        except (Unavailable, TimeoutError) as problem:
            self._give_up(sending, problem)
        except Exception as problem:  # told or not, whoever caused it is answered
            logger.exception("presence cannot be told")
            self._give_up(sending, problem)
        else:
            self._is_connected, self._failures = True, 0

    def _prepare(self) -> None:
        try:
            self._producer.prepare(self._topic, CONNECTED_WITHIN_S)
        except Exception as problem:  # the first to tell finds it, too
            logger.warning("presence cannot be told yet", reason=str(problem) or type(problem).__name__)

    def _give_up(self, sending: Future[None], problem: Exception) -> None:
        sending.cancel()
        # What failed has dropped its connection, and makes another one.
        self._is_connected = False
        now = self._clock()
        if now >= self._rests_until:  # of threads that fail together, the first
            self._rests_until = now + min(LONGEST_UNTOLD_S, UNTOLD_S * 2**self._failures)
            self._failures = min(self._failures + 1, 10)
        logger.warning("presence was not told", reason=str(problem) or type(problem).__name__)
        count("PresenceUntold")

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="presence")


class Places(Protocol):
    """What must be known of where presence is noted; settings of several programs do."""

    @property
    def people_table(self) -> str: ...
    @property
    def chats_table(self) -> str: ...
    @property
    def presence_table(self) -> str: ...
    @property
    def cache_host(self) -> str: ...
    @property
    def cache_port(self) -> str: ...
    @property
    def cache_token_secret_arn(self) -> str: ...
    @property
    def alive_seconds(self) -> int: ...


def cache_at(places: Places) -> PresenceCache:
    """The cache, of which nothing is asked yet."""
    return PresenceCache(
        lambda: connect(places.cache_host, places.cache_port, places.cache_token_secret_arn),
        places.alive_seconds,
    )


def store_at(
    places: Places, cache: PresenceCache | None = None, client: Callable[[], DynamoDBClient] | None = None
) -> Store:
    """The store, of which nothing is asked yet."""
    return Store(
        cache or cache_at(places),
        PresenceTable(places.presence_table, places.alive_seconds, client=client),
        people_table=places.people_table,
        chats_table=places.chats_table,
        client=client,
    )


@lru_cache(maxsize=1)
def store() -> Store:
    """The store of this process, as its environment says."""
    return store_at(PresenceSettings.from_environment())


@lru_cache(maxsize=1)
def people() -> People:
    """The people of this process."""
    return People(PresenceSettings.from_environment().people_table)


@lru_cache(maxsize=1)
def topic() -> Topic:
    """The topic of this process, to which it begins to connect."""
    from lambdas.shared.kafka import Producer

    settings = PresenceSettings.from_environment()
    made = Topic(Producer(settings.kafka_cluster_arn), settings.presence_topic)
    made.prepare()
    return made


@lru_cache(maxsize=1)
def _dynamodb() -> DynamoDBClient:
    return cast("DynamoDBClient", bounded_client("dynamodb"))


def _all_of(client: DynamoDBClient, table: str, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items that there are of `wanted`. Raises `Unavailable` where DynamoDB leaves some out, being busy."""
    found: list[dict[str, Any]] = []
    for batch in batches(wanted, READ_AT_ONCE):
        with bounded():
            answer = client.batch_get_item(RequestItems={table: {"Keys": cast(Any, batch)}})
        if answer.get("UnprocessedKeys"):
            raise Unavailable("the store is busy; try again")
        found += cast("list[dict[str, Any]]", answer["Responses"].get(table, []))
    return found


def _key(user: str, device: str) -> dict[str, Any]:
    return {"user": {"S": user}, "device": {"S": device}}


def _person(user: str, entry: str) -> dict[str, Any]:
    return {"user": {"S": user}, "entry": {"S": entry}}


def _profile(user: str, item: dict[str, Any] | None) -> Profile | None:
    if item is None:
        return None
    return Profile(user, last_seen=cast("LastSeen", item.get("last_seen", {}).get("S", "contacts")))


def _note_absence(problem: Unavailable) -> None:
    logger.warning("the cache is away", reason=str(problem))
    count("CacheAway")
