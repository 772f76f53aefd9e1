"""What the other services read of the directory, in DynamoDB: people, chats and their members, devices and tickets.

Changes are applied in the order of their versions, and each of them once, whoever applies them how often. The version
that an aggregate is at is an attribute (of a user's profile, of a group's head), and the write that completes a
change moves it from one version to the next, or fails. A change that comes again finds its version there; one that
comes too early is `NotYet`. What cannot be in that write is written before it, with a condition that what is newer
stays.

A group's event is appended as every event of a chat is, in one transaction with the members whom it is about: from
its place on new members may see, and up to it the removed may; who comes back keeps what was theirs to see before.
Then the head is moved to the next version. Of a new group the members are written first, a hundred at a time; until
its head is there, with the events that name them all, nobody can do anything with it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.directory.logic import MOST_DEVICES, Directory
from lambdas.messaging_platform.directory.records import Change, NotYet, Receipts
from lambdas.messaging_platform.directory.store import store
from lambdas.messaging_platform.membership import as_attribute, when_added_again
from lambdas.messaging_platform.messaging.store import Log, Proposal, as_item
from lambdas.messaging_platform.people import People
from lambdas.messaging_platform.records import Event
from lambdas.messaging_platform.settings import BY_USER, DirectorySettings
from lambdas.shared.errors import Refused, Unavailable
from lambdas.shared.sdk import (
    IN_A_TRANSACTION,
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

# The conditions that keep the order. A test takes each of them away, and sees it break.
IF_FIRST = "attribute_not_exists(version)"
IF_NEXT = "version = :before"
IF_NEWER = "attribute_not_exists(version) OR version < :version"
IF_NEW = "attribute_not_exists(entry)"
IF_THERE = "attribute_exists(entry)"
IF_ROOM = "attribute_not_exists(n) OR n < :most"
IF_NEWER_WISH = "attribute_exists(entry) AND (attribute_not_exists(wished_at) OR wished_at < :wished_at)"

FINGERPRINT = "members"  # of what the directory appends: its ids are its own
DEVICES = "devices"  # the entry that counts a user's devices; what lists these begins with "device#"
NAMED_AT_MOST = 100  # users in an event, which is to be a few KB in each inbox, and fit into a frame
ATTEMPTS = 8
BACKOFF_S = 0.03
AT_ONCE = 8  # chats whose item of a member is changed at once

Item = dict[str, Any]


class _Applied(Exception):
    """The change is there already."""


class Projection:
    """The tables. One for the life of the process; its client is made when first needed.

    `receipts` answers from the database: it is asked when members are written, and once more thereafter, for whoever
    has changed their mind meanwhile.
    """

    def __init__(
        self,
        settings: DirectorySettings,
        receipts: Callable[[Sequence[str]], Mapping[str, Receipts]],
        *,
        client: Callable[[], DynamoDBClient] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._receipts = receipts
        self._make = client or (lambda: cast("DynamoDBClient", bounded_client("dynamodb")))
        self._clock, self._sleep = clock, sleep
        self._people = People(settings.people_table, lambda: self._dynamodb)
        self._log = Log(settings, lambda: self._dynamodb, sleep)

    def apply(self, change: Change) -> None:
        """Apply a change, or find that it was. Raises `NotYet` where one before it was not, and `Unavailable`."""
        match change.what["kind"]:
            case "profile":
                self._apply_profile(change)
            case "contact_added" | "contact_removed":
                self._apply_relation(change, keys.contact(change.what["other"]), "contact_added")
            case "blocked" | "unblocked":
                self._apply_relation(change, keys.blocked(change.what["other"]), "blocked")
            case "group_made":
                self._apply_group_made(change)
            case "members_changed":
                self._apply_members_changed(change)
            case unknown:
                raise NotYet(f"a change of the kind {unknown!r}, which a later release has to apply")

    # People

    def _apply_profile(self, change: Change) -> None:
        what = change.what
        if what["receipts_changed"]:
            if self._profile_version(change.of) >= change.version:
                return
            # Before the version says that all of it is done.
            self._wish(change.of, self._chats_of(change.of), Receipts(what["read_receipts"], change.version))
        values: Item = {
            "name": {"S": what["name"]},
            "last_seen": {"S": what["last_seen"]},
            "read_receipts": {"BOOL": what["read_receipts"]},
            "utc_offset": {"N": str(what["utc_offset"])},
            **{name: {"N": str(what[name])} for name in ("quiet_from", "quiet_to") if what[name] is not None},
        }
        absent = [name for name in ("quiet_from", "quiet_to") if what[name] is None]
        self._complete_profile(change, self._profile_at(change, values, absent))

    def _apply_relation(self, change: Change, entry: str, added_by: str) -> None:
        key = {"user": {"S": change.of}, "entry": {"S": entry}}
        table = self._settings.people_table
        relation: TransactWriteItemTypeDef
        if change.what["kind"] == added_by:
            relation = {"Put": {"TableName": table, "Item": {**key, "version": _number(change.version)}}}
        else:
            relation = {"Delete": {"TableName": table, "Key": key}}
        self._complete_profile(change, self._profile_at(change, {}, []), relation)

    def _complete_profile(self, change: Change, *items: TransactWriteItemTypeDef) -> None:
        if self._transact(items) and (found := self._profile_version(change.of)) < change.version:
            raise NotYet(f"{change.aggregate} is at version {found}, not at {change.version - 1}")

    def _profile_at(self, change: Change, values: Item, absent: Sequence[str]) -> TransactWriteItemTypeDef:
        """An update that moves a user's profile to the version of a change."""
        update: Any = {
            "TableName": self._settings.people_table,
            "Key": {"user": {"S": change.of}, "entry": {"S": keys.PROFILE}},
            **_assigning({**values, "version": _number(change.version)}, absent),
        }
        _only_next(update, change)
        return {"Update": update}

    def _profile_version(self, user: str) -> int:
        return _version(self._get(self._settings.people_table, user=user, entry=keys.PROFILE))

    def _chats_of(self, user: str) -> list[str]:
        items = every_item(
            self._dynamodb.query,
            TableName=self._settings.chats_table,
            IndexName=BY_USER,
            KeyConditionExpression="#user = :user",
            ExpressionAttributeNames={"#user": "user"},
            ExpressionAttributeValues={":user": {"S": user}},
        )
        return [each["chat"]["S"] for each in items]

    def _wish(self, user: str, chats: Sequence[str], receipts: Receipts) -> None:
        """Note in the member's items whether they hide what they have read, unless a later wish is there."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda chat: self._wish_in(chat, user, receipts), chats))

    def _wish_in(self, chat: str, user: str, receipts: Receipts) -> None:
        from botocore.exceptions import ClientError

        try:
            with bounded():
                self._dynamodb.update_item(
                    TableName=self._settings.chats_table,
                    Key={"chat": {"S": chat}, "entry": {"S": keys.member(user)}},
                    UpdateExpression="SET hides_read = :hides, wished_at = :wished_at",
                    ConditionExpression=IF_NEWER_WISH,
                    ExpressionAttributeValues={
                        ":hides": {"BOOL": not receipts.shown},
                        ":wished_at": _number(receipts.version),
                    },
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise

    # Chats

    def make_direct_chat(self, chat: str, one: str, other: str) -> None:
        """Make the chat of two people with its head; again is the same."""
        wishes = self._receipts([one, other])
        head = _head_item(chat, "direct", "", seq=0, members=2, version=1)
        members = [_member_item(chat, user, "member", 1, 1, wishes.get(user)) for user in (one, other)]
        failed = self._transact(
            [self._put(self._settings.chats_table, item, IF_NEW) for item in (head, *members)]
        )
        self._wish_again(chat, (one, other), {} if failed else wishes)

    def _apply_group_made(self, change: Change) -> None:
        chat, what = change.of, change.what
        users, owner = what["members"], what["owner"]
        wishes: Mapping[str, Receipts] = {}
        if self._head_version(chat) < change.version:
            wishes = self._receipts(users)
            are_ours = self._put_members(
                [
                    _member_item(
                        chat,
                        user,
                        "admin" if user == owner else "member",
                        1,
                        change.version,
                        wishes.get(user),
                    )
                    for user in users
                ],
                change.version,
            )
            if not are_ours:
                wishes = {}
            events = [
                self._event(change, seq, owner, {"added": named, "removed": []})
                for seq, named in enumerate(batches(users, NAMED_AT_MOST), start=1)
            ]
            head = _head_item(chat, "group", what["name"], len(events), len(users), change.version)
            # A failed condition: it is there, made by who applies the same change.
            self._transact(
                [
                    self._put(self._settings.chats_table, head, IF_NEW),
                    *(self._put(self._settings.messages_table, as_item(event), IF_NEW) for event in events),
                ]
            )
        self._wish_again(chat, users, wishes)

    def _put_members(self, items: Sequence[Item], version: int) -> bool:
        """Put the items of members, but for those that are there in this version or a later one.

        Whether none was.
        """
        are_new = True
        for batch in batches(items, IN_A_TRANSACTION):
            while batch:
                failed = self._transact(
                    [
                        self._put(self._settings.chats_table, item, IF_NEWER, {":version": _number(version)})
                        for item in batch
                    ]
                )
                if not failed:
                    break
                are_new = False
                batch = [item for place, item in enumerate(batch) if place not in failed]
        return are_new

    def _apply_members_changed(self, change: Change) -> None:
        added: Sequence[str] = change.what["added"]
        wishes = self._receipts(added) if added else {}
        try:
            appended = self._log.append(
                lambda: self._proposed(change, wishes), FINGERPRINT, int(self._clock())
            )
            if appended.repeated:
                wishes = {}
            self._complete_head(change)
        except _Applied:
            wishes = {}
        if added:
            self._wish_again(change.of, added, wishes)

    def _proposed(self, change: Change, wishes: Mapping[str, Receipts]) -> Proposal:
        """The event of a change of members at the next place, and their items; raises `_Applied`, `NotYet`.

        Nothing later of the group is there when it is written: that would have moved the head.
        """
        head = self._get(self._settings.chats_table, chat=change.of, entry=keys.HEAD)
        if (found := _version(head)) >= change.version:
            raise _Applied
        if head is None or found < change.version - 1:
            raise NotYet(f"{change.aggregate} is at version {found}, not at {change.version - 1}")
        what = change.what
        members = {name: what[name] for name in ("added", "removed")}
        if what["admin"]:
            members["admin"] = what["admin"]
        event = self._event(change, int(head["seq"]["N"]) + 1, what["actor"], members)
        return Proposal(event, list(self._members_at(change, event.seq, wishes)))

    def _members_at(
        self, change: Change, seq: int, wishes: Mapping[str, Receipts]
    ) -> Iterator[TransactWriteItemTypeDef]:
        """What an event at the place `seq` does to the members whom it is about."""
        for user in change.what["added"]:
            new = _member_item(change.of, user, "member", seq, change.version, wishes.get(user))
            kept = {name: new.pop(name) for name in ("delivered", "read")}  # of one who comes back
            # Every change before this one is applied: nothing of the item changes while the head stands.
            before = self._get(self._settings.chats_table, chat=change.of, entry=keys.member(user))
            if earlier := when_added_again(before or {}):
                new["earlier"] = as_attribute(earlier)
            yield self._update_member(change, user, new, kept, absent=["until"])
        for user in change.what["removed"]:
            yield self._update_member(change, user, {"until": _number(seq)})
        if change.what["admin"]:
            yield self._update_member(change, change.what["admin"], {"role": {"S": "admin"}})

    def _complete_head(self, change: Change) -> None:
        update: Any = {
            "TableName": self._settings.chats_table,
            "Key": {"chat": {"S": change.of}, "entry": {"S": keys.HEAD}},
            **_assigning({"members": _number(change.what["members"]), "version": _number(change.version)}),
        }
        _only_next(update, change)
        self._updated(update)  # or who applies the same change has done so

    def _update_member(
        self,
        change: Change,
        user: str,
        values: Item,
        kept: Item | None = None,
        absent: Sequence[str] = (),
    ) -> TransactWriteItemTypeDef:
        plain = {name: value for name, value in values.items() if name not in ("chat", "entry")}
        update: Any = {
            "TableName": self._settings.chats_table,
            "Key": {"chat": {"S": change.of}, "entry": {"S": keys.member(user)}},
            "ConditionExpression": IF_NEWER,
            **_assigning({**plain, "version": _number(change.version)}, absent, kept or {}),
        }
        return {"Update": update}

    def _wish_again(self, chat: str, users: Sequence[str], written: Mapping[str, Receipts]) -> None:
        """Note the wishes of those who have changed their mind since their items were made.

        `written` is what this process has just put into them: of items that another one has made, nothing is known.
        """
        changed = [each for each in self._receipts(users).items() if written.get(each[0]) != each[1]]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda each: self._wish_in(chat, *each), changed))

    def _head_version(self, chat: str) -> int:
        return _version(self._get(self._settings.chats_table, chat=chat, entry=keys.HEAD))

    def _event(self, change: Change, seq: int, sender: str, members: Mapping[str, Any]) -> Event:
        """The event of a group's change. Its id has what no client's has: nobody can have used it before."""
        return Event(
            chat=change.of,
            seq=seq,
            kind="members",
            sender=sender,
            device="",
            # Of a new group, which is told in several, the first has the same id as if it were the only one.
            id=f"group:{change.of}:{change.version}" + (f".{seq}" if change.version == 1 < seq else ""),
            at=int(self._clock() * 1000),
            members=members,
        )

    # Devices and tickets

    def put_device(self, user: str, device: str, platform: str, push_token: str, now_s: int) -> None:
        """Register a device, or change what is known of it. Raises `Refused` for more than `MOST_DEVICES`."""
        key = {"user": {"S": user}, "entry": {"S": keys.device(device)}}
        told: Item = {"platform": {"S": platform}, "push_token": {"S": push_token}}
        change: Any = {
            "TableName": self._settings.people_table,
            "Key": key,
            "ConditionExpression": IF_THERE,
            **_assigning(told),
        }
        for wait in _waits():
            if self._updated(change):
                return
            item = {**key, **told, "registered_at": _number(now_s)}
            failed = self._transact(
                [
                    self._put(self._settings.people_table, item, IF_NEW),
                    self._count_devices(user, 1, IF_ROOM, {":most": _number(MOST_DEVICES)}),
                ]
            )
            if not failed:
                return
            if 0 not in failed:
                raise Refused(f"a user has at most {MOST_DEVICES} devices")
            self._sleep(wait)  # registered by the same request, a moment ahead
        raise Unavailable("too many writers at once; try again")

    def delete_device(self, user: str, device: str) -> None:
        """Forget a device; again is the same."""
        self._transact(
            [
                {
                    "Delete": {
                        "TableName": self._settings.people_table,
                        "Key": {"user": {"S": user}, "entry": {"S": keys.device(device)}},
                        "ConditionExpression": IF_THERE,
                    }
                },
                self._count_devices(user, -1),
            ]
        )

    def has_device(self, user: str, device: str) -> bool:
        """Whether a device is registered."""
        return self._people.device(user, device) is not None

    def put_ticket(self, ticket: str, user: str, device: str, expires_at: int) -> None:
        """Keep a ticket, good for a device of a user until `expires_at` (epoch seconds)."""
        with bounded():
            self._dynamodb.put_item(
                TableName=self._settings.tickets_table,
                Item={
                    "ticket": {"S": ticket},
                    "user": {"S": user},
                    "device": {"S": device},
                    "expires_at": _number(expires_at),
                },
            )

    def _count_devices(
        self, user: str, more: int, condition: str = "", values: Item | None = None
    ) -> TransactWriteItemTypeDef:
        update: Any = {
            "TableName": self._settings.people_table,
            "Key": {"user": {"S": user}, "entry": {"S": DEVICES}},
            "UpdateExpression": "ADD n :more",
            "ExpressionAttributeValues": {":more": _number(more), **(values or {})},
        }
        return {"Update": update | ({"ConditionExpression": condition} if condition else {})}

    # The SDK

    def _put(self, table: str, item: Item, condition: str, values: Item | None = None) -> Any:
        put = {"TableName": table, "Item": item, "ConditionExpression": condition}
        return {"Put": put | ({"ExpressionAttributeValues": values} if values else {})}

    def _get(self, table: str, **key: str) -> Item | None:
        with bounded():
            answer = self._dynamodb.get_item(
                TableName=table,
                Key={name: {"S": value} for name, value in key.items()},
                ConsistentRead=True,
            )
        return cast("Item | None", answer.get("Item"))

    def _updated(self, change: Any) -> bool:
        """Whether an update's condition held."""
        from botocore.exceptions import ClientError

        try:
            with bounded():
                self._dynamodb.update_item(**change)
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _transact(self, items: Sequence[TransactWriteItemTypeDef]) -> set[int]:
        return transact(self._dynamodb, items, sleep=self._sleep)

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make()


@lru_cache(maxsize=1)
def directory() -> Directory:
    """The database and the tables of this process, as its environment says."""
    return Directory(store(), Projection(DirectorySettings.from_environment(), store().receipts))


def _waits() -> Iterator[float]:
    for attempt in range(ATTEMPTS):
        # Chance only spreads the writers; nothing is kept secret by it.
        yield random.uniform(0.5, 1) * BACKOFF_S * 2**attempt  # noqa: S311


def _number(value: int) -> Item:
    return {"N": str(value)}


def _version(item: Item | None) -> int:
    return int(item["version"]["N"]) if item and "version" in item else 0


def _assigning(values: Item, absent: Sequence[str] = (), kept: Item | None = None) -> Item:
    """An update that sets `values`, takes the `absent` away, and sets of `kept` what is not there."""
    kept = kept or {}
    sets = [f"#{name} = :{name}" for name in values]
    sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in kept]
    expression = "SET " + ", ".join(sets)
    if absent:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in absent)
    return {
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {f"#{name}": name for name in (*values, *kept, *absent)},
        "ExpressionAttributeValues": {f":{name}": value for name, value in (values | kept).items()},
    }


def _only_next(update: Any, change: Change) -> None:
    """Have an update succeed only where its item is at the version before the change's."""
    if change.version == 1:
        update["ConditionExpression"] = IF_FIRST
    else:
        update["ConditionExpression"] = IF_NEXT
        update["ExpressionAttributeValues"][":before"] = _number(change.version - 1)


def _head_item(chat: str, kind: str, name: str, seq: int, members: int, version: int) -> Item:
    return {
        "chat": {"S": chat},
        "entry": {"S": keys.HEAD},
        "kind": {"S": kind},
        "name": {"S": name},
        "seq": _number(seq),
        "members": _number(members),
        "version": _number(version),
    }


def _member_item(
    chat: str, user: str, role: str, since: int, version: int, receipts: Receipts | None
) -> Item:
    """A member who may see from `since` on, and has got and read nothing of it."""
    wish = receipts or Receipts(shown=True, version=0)
    return {
        "chat": {"S": chat},
        "entry": {"S": keys.member(user)},
        "user": {"S": user},
        "role": {"S": role},
        "since": _number(since),
        "delivered": _number(since - 1),
        "read": _number(since - 1),
        "hides_read": {"BOOL": not wish.shown},
        "wished_at": _number(wish.version),
        "version": _number(version),
    }
