"""The only module of messaging that talks to AWS: seven DynamoDB tables.

The order of a chat is its head's number. An event is appended by one transaction that moves the head from n to n + 1
if it still is n, puts the event at n + 1, and notes the client's id in `sent`: so there is no gap, no number is given
twice, and the same request again finds what came of it. Who loses the race for n + 1 reads anew, its right to write
included: what decides is read after the head, and the head's condition shows that nothing was appended since.

An edit also puts its text into the message that it is about, and takes it out of the edit before; a deletion takes it
out of both: the table holds the present text of a message, and no other. A message that carries media notes its place
with them, for whoever decides who may fetch them.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.membership import earlier_of
from lambdas.messaging_platform.messaging.models import (
    Appended,
    Draft,
    Head,
    Media,
    Member,
    Snapshot,
    Stored,
)
from lambdas.messaging_platform.people import People
from lambdas.messaging_platform.records import VERSION, Event
from lambdas.messaging_platform.settings import BY_USER, MessagingSettings
from lambdas.shared.errors import Refused, TooMany, Unavailable
from lambdas.shared.sdk import (
    READ_AT_ONCE,
    WRITTEN_AT_ONCE,
    batches,
    bounded,
    bounded_client,
    code_of,
    every_item,
    transact,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

Item = dict[str, Any]

# The conditions that keep the promise. A test takes each of them away, and sees the promise break.
IF_LAST = "seq = :last"
IF_NEW = "attribute_not_exists(entry)"
IF_NOT_SENT = "attribute_not_exists(#key) OR expires_at <= :now"
IF_BEHIND = "(attribute_not_exists({cursor}) OR {cursor} < :seq)"
IF_ENOUGH_LEFT = "attribute_not_exists(n) OR n < :most"
IF_MEMBER = "attribute_exists(entry)"
IF_SENDABLE = "#owner = :sender AND chat = :chat AND #state = :ready"

SENT_LIFETIME_S = 30 * 86_400  # for so long the same request again is answered, and makes no second event
MINUTE_S = 60

# Writers of one chat take turns. With reads of 4 ms and transactions of 15 ms a chat takes some 30 events a second,
# and a hundred writers at once are through in 3 s, each in 17 attempts at most (simulated; pauses have full jitter).
APPEND_ATTEMPTS = 25
APPEND_WITHIN_S = 8.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.4

BATCH_ATTEMPTS = 6
# An acknowledgement is answered in time, also where it frees thousands of entries: some of them then, some later.
FORGET_WITHIN_S = 5.0

# How long a device that was there is taken to be there, and of how many that is remembered: twice as many as a
# gateway has connections.
DEVICE_KNOWN_S = 60.0
MOST_KNOWN = 20_000

_client = bounded_client  # a name of this module's, around which its tests put a cache


class LogTables(Protocol):
    """What must be known to append to a chat; settings of several programs do."""

    @property
    def messages_table(self) -> str: ...
    @property
    def sent_table(self) -> str: ...
    @property
    def chats_table(self) -> str: ...


class Tables(LogTables, Protocol):
    """What must be known for all of messaging."""

    @property
    def people_table(self) -> str: ...
    @property
    def inboxes_table(self) -> str: ...
    @property
    def media_table(self) -> str: ...
    @property
    def limits_table(self) -> str: ...
    @property
    def messages_a_minute(self) -> int: ...


@dataclass(frozen=True)
class Proposal:
    """An event with the place that is next, and what is written with it, in the same transaction or not at all."""

    event: Event
    also: Sequence[TransactWriteItemTypeDef] = ()


class Log:
    """The order of chats: who appends to one does it here. `client` makes the client when it is first needed."""

    def __init__(
        self,
        tables: LogTables,
        client: Callable[[], DynamoDBClient] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log_tables = tables
        self._make = client or (lambda: cast("DynamoDBClient", _client("dynamodb")))
        self._sleep = sleep
        self._clock = clock

    def head(self, chat: str) -> Head | None:
        """A chat's head as it is now, or None where there is no such chat."""
        item = self._get(self._log_tables.chats_table, {"chat": chat, "entry": keys.HEAD})
        return _head(item) if item else None

    def append(self, propose: Callable[[], Proposal], fingerprint: str, now_s: int) -> Appended:
        """Append an event to its chat, once for its sender and id.

        `propose` reads the chat's head, then whatever else decides, and answers the event at the next place; it is
        asked again whenever something was appended meanwhile, and what it raises ends the attempt. `fingerprint` is
        of what the client asked for: the same id with another one is `Refused`. Raises `Unavailable` when too many
        write to the chat for too long; the same request may be made again then.
        """
        until = self._clock() + APPEND_WITHIN_S
        for attempt in range(APPEND_ATTEMPTS):
            if attempt:
                # Chance only spreads the writers; nothing is kept secret by it.
                self._sleep(random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)))  # noqa: S311
                if self._clock() > until:
                    break
            proposal = propose()
            try:
                failed = transact(self._dynamodb, self._writes(proposal, fingerprint, now_s), attempts=1)
            except Unavailable:
                continue  # another transaction, or no answer: if it was written, `sent` tells
            event = proposal.event
            if not failed:
                return Appended(event.seq, event.at)
            if 2 in failed:
                before = self.sent(event.chat, event.sender, event.id, fingerprint, now_s)
                if before is not None:
                    return before
        raise Unavailable("too many write to this chat at once; try again")

    def sent(self, chat: str, user: str, client_id: str, fingerprint: str, now_s: int) -> Appended | None:
        """What came of an earlier request with this id; None where there was none for `SENT_LIFETIME_S`.

        Raises `Refused` when that one asked for something else.
        """
        item = self._get(self._log_tables.sent_table, {"key": keys.sent(chat, user, client_id)})
        if item is None or int(item["expires_at"]["N"]) <= now_s:
            return None
        if item["fingerprint"]["S"] != fingerprint:
            raise Refused("this id was used before, for something else")
        return Appended(int(item["seq"]["N"]), int(item["at"]["N"]), repeated=True)

    def _writes(self, proposal: Proposal, fingerprint: str, now_s: int) -> Sequence[TransactWriteItemTypeDef]:
        event, tables = proposal.event, self._log_tables
        return [
            {
                "Update": {
                    "TableName": tables.chats_table,
                    "Key": _texts({"chat": event.chat, "entry": keys.HEAD}),
                    "UpdateExpression": "SET seq = :next",
                    "ConditionExpression": IF_LAST,
                    "ExpressionAttributeValues": {":last": _n(event.seq - 1), ":next": _n(event.seq)},
                }
            },
            {
                "Put": {
                    "TableName": tables.messages_table,
                    "Item": as_item(event),
                    "ConditionExpression": IF_NEW,
                }
            },
            {
                "Put": {
                    "TableName": tables.sent_table,
                    "Item": {
                        "key": {"S": keys.sent(event.chat, event.sender, event.id)},
                        "seq": _n(event.seq),
                        "at": _n(event.at),
                        "fingerprint": {"S": fingerprint},
                        "expires_at": _n(now_s + SENT_LIFETIME_S),
                    },
                    "ConditionExpression": IF_NOT_SENT,
                    "ExpressionAttributeNames": {"#key": "key"},
                    "ExpressionAttributeValues": {":now": _n(now_s)},
                }
            },
            *proposal.also,
        ]

    def _get(self, table: str, key: dict[str, str]) -> Item | None:
        with bounded():
            answer = self._dynamodb.get_item(TableName=table, Key=_texts(key), ConsistentRead=True)
        return cast("Item | None", answer.get("Item"))

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make()


class Messages(Log):
    """All of messaging's tables. One for the life of the process."""

    def __init__(
        self,
        tables: Tables,
        client: Callable[[], DynamoDBClient] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(tables, client, sleep, clock)
        self._tables = tables
        self._people = People(tables.people_table, lambda: self._dynamodb)
        self._known: dict[str, float] = {}  # devices that are there, and until when that is taken for true

    # What decides

    def snapshot(self, draft: Draft, user: str) -> Snapshot:
        """What decides whether `user` may append `draft`: the chat's head first, and the rest after it."""
        head, member, other = self._members_of_direct(draft.chat, user)
        if not keys.is_direct(draft.chat):
            head = self.head(draft.chat)
            member = self.member(draft.chat, user) if head else None
        if head is None or member is None:
            return Snapshot(None, None)
        return Snapshot(
            head,
            member,
            is_blocked=other is not None and self._people.is_blocked(user, other),
            target=self.event(draft.chat, draft.target) if draft.target else None,
            media=self._media(draft.media) if draft.media else None,
        )

    def member(self, chat: str, user: str) -> Member | None:
        """A user's place in a chat as it is now, or None for a stranger."""
        item = self._get(self._tables.chats_table, {"chat": chat, "entry": keys.member(user)})
        return _member(item) if item else None

    def event(self, chat: str, seq: int) -> Stored | None:
        """The event at a place of a chat, in its present form."""
        item = self._get(self._tables.messages_table, {"chat": chat, "entry": keys.sequence(seq)})
        return _stored(item) if item else None

    def has_device(self, user: str, device: str) -> bool:
        """Whether a user has a device of this id."""
        return self._people.device(user, device) is not None

    def still_has_device(self, user: str, device: str) -> bool:
        """Whether a user has a device of this id, or had it within the last `DEVICE_KNOWN_S`.

        A socket may ask with every frame: that is at most one read a minute, and at half the price.
        """
        now, name = self._clock(), keys.inbox(user, device)
        if name in self._known and now < self._known[name]:
            return True
        # What is not read consistently may lack a device that has just been registered.
        if self._people.device(user, device, consistent=False) is None and not self.has_device(user, device):
            return False
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[name] = now + DEVICE_KNOWN_S
        return True

    def take_turn(self, user: str, now_s: int) -> None:
        """Count one of the events that a user may add in a minute. Raises `TooMany` when that is used up."""
        from botocore.exceptions import ClientError

        minute, most = now_s // MINUTE_S, self._tables.messages_a_minute
        try:
            with bounded():
                self._dynamodb.update_item(
                    TableName=self._tables.limits_table,
                    Key=_texts({"key": f"{user}#{minute}"}),
                    UpdateExpression="SET expires_at = :end ADD n :one",
                    ConditionExpression=IF_ENOUGH_LEFT,
                    ExpressionAttributeValues={
                        ":end": _n((minute + 2) * MINUTE_S),
                        ":one": _n(1),
                        ":most": _n(most),
                    },
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            raise TooMany(f"at most {most} a minute; try again in a minute") from None

    def _members_of_direct(self, chat: str, user: str) -> tuple[Head | None, Member | None, str | None]:
        """Head, own place and the other's name of a direct chat, by one query; its head sorts before its members."""
        if not keys.is_direct(chat):
            return None, None, None
        with bounded():
            items = self._dynamodb.query(
                TableName=self._tables.chats_table,
                KeyConditionExpression="chat = :chat",
                ExpressionAttributeValues={":chat": {"S": chat}},
                ConsistentRead=True,
            )["Items"]
        head = next((_head(each) for each in items if each["entry"]["S"] == keys.HEAD), None)
        members = [_member(each) for each in items if each["entry"]["S"] != keys.HEAD]
        own = next((each for each in members if each.user == user), None)
        other = next((each.user for each in members if each.user != user), None)
        return head, own, other

    def _media(self, media: str) -> Media | None:
        item = self._get(self._tables.media_table, {"media": media})
        if item is None:
            return None
        return Media(
            owner=_text(item, "owner"),
            chat=_text(item, "chat"),
            state=_text(item, "state"),
            type=_text(item, "type"),
            size=_number(item, "size"),
        )

    def add(
        self, draft: Draft, fingerprint: str, now_s: int, decide: Callable[[Snapshot], Event], user: str
    ) -> Appended:
        """Append what `decide` makes of `draft`, decided anew for each attempt; raises what it raises."""

        def propose() -> Proposal:
            snapshot = self.snapshot(draft, user)
            event = decide(snapshot)
            return Proposal(
                event, [*self._changes(event, snapshot.target), *self._carried(event, draft.media)]
            )

        return self.append(propose, fingerprint, now_s)

    def _changes(self, event: Event, target: Stored | None) -> Sequence[TransactWriteItemTypeDef]:
        """What an edit or a deletion does to the message that it is about, to the edit before, and to its media."""
        if target is None:
            return ()
        if event.kind == "edit":
            change = "SET body = :body, edited_at = :at, #edit = :seq"
            values = {":body": {"S": _json(event.body)}, ":at": _n(event.at), ":seq": _n(event.seq)}
            names = {"ExpressionAttributeNames": {"#edit": "edit"}}
        else:
            change, values, names = "SET deleted_at = :at REMOVE body", {":at": _n(event.at)}, {}
        changes: list[Any] = [
            {
                "Update": {
                    "TableName": self._tables.messages_table,
                    "Key": _texts({"chat": event.chat, "entry": keys.sequence(target.event.seq)}),
                    "UpdateExpression": change,
                    "ExpressionAttributeValues": values,
                    **names,
                }
            }
        ]
        if target.edit is not None:
            changes.append(
                {
                    "Update": {
                        "TableName": self._tables.messages_table,
                        "Key": _texts({"chat": event.chat, "entry": keys.sequence(target.edit)}),
                        "UpdateExpression": "REMOVE body",
                    }
                }
            )
        if event.kind == "delete" and "media" in target.event.body:
            changes.append(
                {
                    "Update": {
                        "TableName": self._tables.media_table,
                        "Key": _texts({"media": target.event.body["media"]}),
                        "UpdateExpression": "ADD carried :less",
                        "ExpressionAttributeValues": {":less": _n(-1)},
                    }
                }
            )
        return changes

    def _carried(self, event: Event, media: str | None) -> Iterator[TransactWriteItemTypeDef]:
        """What a message does to the media that it carries: they know the first and the last, and how many do."""
        if media is None:
            return
        yield {
            "Update": {
                "TableName": self._tables.media_table,
                "Key": _texts({"media": media}),
                "UpdateExpression": (
                    "SET first_seq = if_not_exists(first_seq, :seq), last_seq = :seq ADD carried :more"
                ),
                "ConditionExpression": IF_SENDABLE,
                "ExpressionAttributeNames": {"#owner": "owner", "#state": "state"},
                "ExpressionAttributeValues": {
                    ":seq": _n(event.seq),
                    ":sender": {"S": event.sender},
                    ":chat": {"S": event.chat},
                    ":ready": {"S": "ready"},
                    ":more": _n(1),
                },
            }
        }

    # How far somebody has come

    def move(self, chat: str, user: str, cursors: Sequence[str], seq: int) -> Member | None:
        """Set each of `cursors` ("delivered", "read") to `seq`, if all of them are behind it.

        Answers the place as it is afterwards, None for a stranger.
        """
        from botocore.exceptions import ClientError

        names = {f"#{each}": each for each in cursors}
        behind = " AND ".join(IF_BEHIND.format(cursor=each) for each in names)
        try:
            with bounded():
                item = self._dynamodb.update_item(
                    TableName=self._tables.chats_table,
                    Key=_texts({"chat": chat, "entry": keys.member(user)}),
                    UpdateExpression="SET " + ", ".join(f"{each} = :seq" for each in names),
                    ConditionExpression=f"{IF_MEMBER} AND {behind}",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues={":seq": _n(seq)},
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )["Attributes"]
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            item = cast("dict[str, Any]", error.response).get("Item", {})
        return _member(item) if item else None

    def forget(self, user: str, device: str, chat: str, seq: int) -> None:
        """Take what a device has got of a chat, up to `seq`, out of its inbox. Raises `Unavailable` if it is busy.

        What is not out after `FORGET_WITHIN_S` goes with the device's next acknowledgement.
        """
        until = self._clock() + FORGET_WITHIN_S
        values = {
            ":device": {"S": keys.inbox(user, device)},
            ":first": {"S": keys.inbox_entry(chat, 0)},
            ":last": {"S": keys.inbox_entry(chat, seq)},
        }
        found = every_item(
            self._dynamodb.query,
            TableName=self._tables.inboxes_table,
            KeyConditionExpression="device = :device AND entry BETWEEN :first AND :last",
            ProjectionExpression="device, entry",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        for batch in batches(found, WRITTEN_AT_ONCE):
            self._delete(self._tables.inboxes_table, batch)
            if self._clock() > until:
                break

    def _delete(self, table: str, batch: Sequence[Item]) -> None:
        left: list[Any] = [{"DeleteRequest": {"Key": each}} for each in batch]
        for attempt in range(BATCH_ATTEMPTS):
            if attempt:
                self._pause(attempt)
            with bounded():
                answer = self._dynamodb.batch_write_item(RequestItems={table: left})
            left = list(answer.get("UnprocessedItems", {}).get(table, []))
            if not left:
                return
        raise Unavailable("the inbox is busy; try again")

    # What there is to read

    def entries(self, user: str, device: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        """Up to `limit` entries of a device's inbox after the entry `after`: each its key and its event as JSON."""
        condition = "device = :device" + (" AND entry > :after" if after else "")
        values = {":device": {"S": keys.inbox(user, device)}} | ({":after": {"S": after}} if after else {})
        with bounded():
            items = self._dynamodb.query(
                TableName=self._tables.inboxes_table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                Limit=limit,
            )["Items"]
        return [(each["entry"]["S"], each["event"]["S"]) for each in items]

    def history(self, chat: str, first: int, last: int, limit: int, *, newest: bool = False) -> list[Stored]:
        """Up to `limit` events of a chat from `first` to `last`, in order: the oldest of them, or the newest.

        Fewer may come than there are.
        """
        if first > last:
            return []
        with bounded():
            items = self._dynamodb.query(
                TableName=self._tables.messages_table,
                KeyConditionExpression="chat = :chat AND entry BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":chat": {"S": chat},
                    ":first": {"S": keys.sequence(first)},
                    ":last": {"S": keys.sequence(last)},
                },
                ConsistentRead=True,
                ScanIndexForward=not newest,
                Limit=limit,
            )["Items"]
        found = [_stored(each) for each in items]
        return found[::-1] if newest else found

    def members(self, chat: str) -> list[Member]:
        """All who are or were members of a chat."""
        items = every_item(
            self._dynamodb.query,
            TableName=self._tables.chats_table,
            KeyConditionExpression="chat = :chat AND begins_with(entry, :member)",
            ExpressionAttributeValues={":chat": {"S": chat}, ":member": {"S": keys.member("")}},
        )
        return [_member(each) for each in items]

    def chats_of(self, user: str, after: str | None, limit: int) -> list[tuple[str, Member]]:
        """Up to `limit` chats that a user is or was in, after the chat `after`; an index may lag by a moment."""
        condition = "#user = :user" + (" AND chat > :after" if after else "")
        values = {":user": {"S": user}} | ({":after": {"S": after}} if after else {})
        with bounded():
            items = self._dynamodb.query(
                TableName=self._tables.chats_table,
                IndexName=BY_USER,
                KeyConditionExpression=condition,
                ExpressionAttributeNames={"#user": "user"},
                ExpressionAttributeValues=values,
                Limit=limit,
            )["Items"]
        return [(each["chat"]["S"], _member(each)) for each in items]

    def heads(self, chats: Sequence[str]) -> dict[str, Head]:
        """The heads of chats, of those that there are; they may lag by a moment."""
        found: dict[str, Head] = {}
        for batch in batches(chats, READ_AT_ONCE):
            left: Any = [_texts({"chat": chat, "entry": keys.HEAD}) for chat in batch]
            for attempt in range(BATCH_ATTEMPTS):
                if attempt:
                    self._pause(attempt)
                with bounded():
                    answer: Any = self._dynamodb.batch_get_item(
                        RequestItems={self._tables.chats_table: {"Keys": left}}
                    )
                for each in answer["Responses"].get(self._tables.chats_table, []):
                    found[each["chat"]["S"]] = _head(each)
                left = answer.get("UnprocessedKeys", {}).get(self._tables.chats_table, {}).get("Keys", [])
                if not left:
                    break
            else:
                raise Unavailable("the store is busy; try again")
        return found

    def _pause(self, attempt: int) -> None:
        self._sleep(random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)))  # noqa: S311


@lru_cache(maxsize=1)
def store() -> Messages:
    """The store of this process, as its environment says."""
    return Messages(MessagingSettings.from_environment())


def as_item(event: Event) -> Item:
    """An event as the table of messages has it."""
    item: Item = {
        "chat": {"S": event.chat},
        "entry": {"S": keys.sequence(event.seq)},
        "v": _n(VERSION),
        "kind": {"S": event.kind},
        "sender": {"S": event.sender},
        "device": {"S": event.device},
        "id": {"S": event.id},
        "at": _n(event.at),
    }
    if event.body:
        item["body"] = {"S": _json(event.body)}
    if event.target is not None:
        item["target"] = _n(event.target)
    if event.members is not None:
        item["members"] = {"S": _json(event.members)}
    return item


def event_of(item: Item) -> Event:
    """The event that an item of the table of messages is. Raises `KeyError` or `ValueError` where it is none."""
    return Event(
        chat=item["chat"]["S"],
        seq=int(item["entry"]["S"]),
        kind=item["kind"]["S"],
        sender=item["sender"]["S"],
        device=item["device"]["S"],
        id=item["id"]["S"],
        at=int(item["at"]["N"]),
        body=json.loads(item["body"]["S"]) if "body" in item else {},
        target=int(item["target"]["N"]) if "target" in item else None,
        members=json.loads(item["members"]["S"]) if "members" in item else None,
        edited_at=int(item["edited_at"]["N"]) if "edited_at" in item else None,
        deleted_at=int(item["deleted_at"]["N"]) if "deleted_at" in item else None,
    )


def _stored(item: Item) -> Stored:
    return Stored(event_of(item), int(item["edit"]["N"]) if "edit" in item else None)


def _head(item: Item) -> Head:
    return Head(
        chat=item["chat"]["S"],
        kind=_text(item, "kind"),
        name=_text(item, "name"),
        seq=_number(item, "seq"),
        members=_number(item, "members"),
    )


def _member(item: Item) -> Member:
    since = _number(item, "since", 1)
    return Member(
        user=item["entry"]["S"].removeprefix(keys.member("")),
        role=_text(item, "role", "member"),
        since=since,
        until=int(item["until"]["N"]) if "until" in item else None,
        delivered=_number(item, "delivered"),
        read=_number(item, "read"),
        hides_read=bool(item.get("hides_read", {}).get("BOOL", False)),
        earlier=earlier_of(item),
    )


def _texts(key: dict[str, str]) -> Any:
    return {name: {"S": value} for name, value in key.items()}


def _n(number: int) -> Any:
    return {"N": str(number)}


def _text(item: Item, attribute: str, default: str = "") -> str:
    return str(item[attribute]["S"]) if attribute in item else default


def _number(item: Item, attribute: str, default: int = 0) -> int:
    return int(item[attribute]["N"]) if attribute in item else default


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
