"""messaging_platform on the offline AWS, by its own app: one to one, in groups, after a long absence; and its memory.

All of it in one deployment. A device of stacks/messaging_platform/clients notes each frame as it comes, so that what
is measured begins with a frame on one socket and ends with one on another: API Gateway, a function, DynamoDB, its
stream, the relay, Kafka, fan-out, the inbox, the socket. Devices acknowledge what they get, as everywhere.

Most members of a group are seeded into the tables, each with a device that is away; the others have real sockets. An
inbox is asked for with one call for a hundred members, as long as one of them lacks the entry.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from bench import foundations
from bench.fresh import Bench, ProbeFailed
from bench.memory import NO_PROC
from bench.offline import Offline, offline
from bench.table import Row, Table, compared, percentile
from lambdas.messaging_platform import keys
from lambdas.messaging_platform.records import VERSION, Event, encode
from stacks.messaging_platform.clients.device import Device, Person
from stacks.messaging_platform.clients.observer import Chat

BLUEPRINT = "messaging_platform"
KINDS = {  # what of the offline AWS, and besides what is everywhere
    **foundations.KINDS,
    "fanout": "fan-out",
    "inspection": "inspection",
}
IN_TURN = 50  # messages of each of two; a user may send sixty a minute
SENDERS = 8
WARM_UP = 8  # messages of each, all at once: what starts for them has started then
SECONDS, EACH = 10.0, 45  # a sender stops after so long, or so many messages
GROUPS = {10: 20, 100: 15, 1_000: 5}  # members → messages
LISTENERS = 4  # real devices of a group, besides the sender's
MISSED = 1_000
BY_STREAM = 200  # of these go the whole way; the others are put where it ends
TEXT = "x" * 100
WITHIN = 60.0
AT_ONCE = 25  # of BatchWriteItem
RELAYED = "event relayed"  # what the relay says of an event that Kafka has acknowledged
Document = Mapping[str, Any]
T = TypeVar("T")
Place = tuple[str, int]  # a chat, and a sequence number


class Frames(list[Document]):
    """All that came to a device, and when. Moments are of the clock that the functions' logs have, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._came = threading.Condition()
        self._events: dict[Place, float] = {}
        self._answers: dict[str, tuple[float, Document]] = {}

    def append(self, frame: Document) -> None:
        now = time.time()
        with self._came:
            super().append(frame)
            if frame.get("type") == "event":
                self._events.setdefault((str(frame["chat"]), int(frame["seq"])), now)
            elif frame.get("type") in ("sent", "refused"):
                self._answers[str(frame.get("id"))] = (now, frame)
            self._came.notify_all()

    def event(self, place: Place) -> float:
        """When an event came first. Raises `ProbeFailed` when it does not."""
        return self._wait_for(lambda: self._events.get(place), f"event {place[1]}")

    def answer(self, id: str) -> tuple[float, Document]:
        """When a frame was answered, and how. Raises `ProbeFailed` when it is not."""
        return self._wait_for(lambda: self._answers.get(id), f"answer to {id}")

    def _wait_for(self, find: Callable[[], T | None], what: str) -> T:
        with self._came:
            self._came.wait_for(find, WITHIN)
            found = find()
        if found is None:
            raise ProbeFailed(f"no {what} came within {WITHIN:.0f} s")
        return found


@dataclass(frozen=True)
class Sent:
    """A message that was accepted: its place, when its frame was sent, and when the answer came."""

    place: Place
    began: float
    answered: float


class App:
    """A device whose frames are timed: registered, and connected."""

    def __init__(self, system: Offline, owner: Person, name: str) -> None:
        self.owner = owner
        self.frames = Frames()
        self.device = Device(system.world, owner, name)
        self.device.frames = self.frames
        self.device.register()
        self.device.connect()

    def send(self, chat: str) -> Sent:
        """Send a message, and wait for the answer. Raises `ProbeFailed` unless it is accepted."""
        id = uuid.uuid4().hex
        frame = {"action": "send", "chat": chat, "id": id, "body": {"text": TEXT}}
        began = time.time()
        self.device.socket.send(frame)
        answered, answer = self.frames.answer(id)
        if answer["type"] != "sent":
            raise ProbeFailed(f"a message was not accepted: {dict(answer)}")
        return Sent((chat, int(answer["seq"])), began, answered)


def run(bench: Bench) -> Table:
    """Messages a second, milliseconds from socket to socket, seconds of a catch-up, and MB where there is a /proc."""
    with offline(bench, BLUEPRINT) as system:
        pairs = _pairs(system)
        memory = foundations.weighed(system.emulator.pid, KINDS)
        direct = _in_turn(*pairs[0])  # a pair of its own: a user may not send more in a minute
        rows = [*_latency("one at a time", direct), *_stages(system, direct)]
        rows += _at_once(system, pairs[1:])
        rows += _catch_up(system)
        for members, messages in GROUPS.items():
            rows += _group(system, members, messages)
        lost = _not_shown(pairs)
    rows.append(Row("messages missing, twice or out of order on a device", lost, "", goal=0, must=True))
    return Table(
        "messaging",
        f"Messages through {BLUEPRINT}",
        (*rows, *memory),
        (
            f"One run. One at a time: {2 * IN_TURN} messages, each when the one before has come. At once: {SENDERS} "
            f"pairs, each sender with one message under way, {SECONDS:.0f} s or {EACH} messages each, and {WARM_UP} "
            "before the clock runs. Chats that fall into one partition wait for one another, which p99 shows.",
            f"Groups: {', '.join(f'{n} messages to {members:,}' for members, n in GROUPS.items())}, one after the "
            f"other is in all inboxes; {LISTENERS + 1} devices have sockets, all others are away, and what they are "
            "pushed is on its way meanwhile. With so few messages p99 is the slowest. The last inbox is asked for, "
            "which takes time, too.",
            "Where a message is after so long: medians, from the moment its frame is sent; what the relay says is of "
            "the clock of the same machine.",
            "Memory: a page that several processes share counts once, a part of it for each."
            if memory
            else NO_PROC,
        ),
    )


Pair = tuple[App, App, str]


def _pairs(system: Offline) -> list[Pair]:
    """People who talk, two and two; the first message of each has come, and everything has started."""

    def pair(number: int) -> Pair:
        people = [Person(system.world, f"{name}-{number}") for name in ("from", "to")]
        one, other = (App(system, person, f"{person.name}-phone") for person in people)
        return one, other, people[0].chat_with(people[1])

    with ThreadPoolExecutor(4) as pool:
        pairs = list(pool.map(pair, range(1 + SENDERS)))
    for one, other, chat in pairs:
        other.frames.event(one.send(chat).place)
    return pairs


# One to one


@dataclass(frozen=True)
class Came:
    """A message, and when it came to a device of somebody else."""

    sent: Sent
    at: float

    @property
    def ms(self) -> float:
        return (self.at - self.sent.began) * 1000


def _in_turn(one: App, other: App, chat: str) -> list[Came]:
    found = []
    for _ in range(IN_TURN):
        for sender, receiver in ((one, other), (other, one)):
            sent = sender.send(chat)
            found.append(Came(sent, receiver.frames.event(sent.place)))
    return found


def _latency(what: str, came: Sequence[Came]) -> list[Row]:
    return [
        Row(f"{what}: {name}", percentile([each.ms for each in came], share), "ms")
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]


def _stages(system: Offline, came: Sequence[Came]) -> list[Row]:
    """Where a message is after so many milliseconds, in the middle; each with its part of the whole."""
    relayed = _relayed(system)
    moments: dict[str, list[float]] = {
        "answered: stored in DynamoDB": [each.sent.answered - each.sent.began for each in came],
        "acknowledged by Kafka": [
            relayed[each.sent.place] - each.sent.began for each in came if each.sent.place in relayed
        ],
        "on the other socket": [each.at - each.sent.began for each in came],
    }
    whole = percentile([each.ms for each in came], 0.5)
    return [
        compared(f"· {what}, after", percentile(seconds, 0.5) * 1000, "ms", whole, "all")
        for what, seconds in moments.items()
        if seconds
    ]


def _relayed(system: Offline) -> dict[Place, float]:
    """When Kafka had acknowledged each event, as the relay's log says."""
    function = system.client("lambda").get_function_configuration(
        FunctionName=system.outputs["RelayFunctionArn"]
    )
    pages = system.client("logs").get_paginator("filter_log_events")
    found: dict[Place, float] = {}
    for page in pages.paginate(logGroupName=function["LoggingConfig"]["LogGroup"]):
        for line in page["events"]:
            if f'"{RELAYED}"' in line["message"]:
                said = json.loads(line["message"])
                moment = datetime.strptime(said["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
                found.setdefault((said["chat"], int(said["seq"])), moment)
    return found


def _at_once(system: Offline, pairs: Sequence[Pair]) -> list[Row]:
    """Several senders, each with one message under way, for a bounded time."""
    together = threading.Barrier(len(pairs))

    def send_on(pair: Pair) -> list[Sent]:
        sender, receiver, chat = pair
        for _ in range(WARM_UP):
            last = sender.send(chat)
        receiver.frames.event(last.place)
        together.wait()
        until = time.monotonic() + SECONDS
        found: list[Sent] = []
        while len(found) < EACH and time.monotonic() < until:
            found.append(sender.send(chat))
        return found

    with ThreadPoolExecutor(len(pairs)) as pool:
        batches = list(pool.map(send_on, pairs))
    came = [
        Came(sent, receiver.frames.event(sent.place))
        for (_, receiver, _), batch in zip(pairs, batches, strict=True)
        for sent in batch
    ]
    seconds = max(each.at for each in came) - min(each.sent.began for each in came)
    what = f"{len(pairs)} senders at once"
    return [
        Row(f"{what}: messages", len(came) / seconds, "/s"),
        *_latency(what, came),
        *_stages(system, came),
    ]


def _not_shown(pairs: Sequence[Pair]) -> int:
    """How many places of the chats two devices disagree about, or lack; a message at two places is as bad."""
    wrong = 0
    for one, other, chat in pairs:
        logs = [[(each["seq"], each["id"]) for each in app.device.log(chat)] for app in (one, other)]
        last = max(len(log) for log in logs)
        whole = [seq for log in logs for seq, _ in log] == [*range(1, last + 1)] * 2
        once = len({id for _, id in logs[0]}) == len(logs[0])
        wrong += (
            0 if whole and once and logs[0] == logs[1] else max(1, last - len(set(logs[0]) & set(logs[1])))
        )
    return wrong


# Groups


def _group(system: Offline, members: int, messages: int) -> list[Row]:
    """One founder, one member with several devices, and the rest seeded."""
    world = system.world
    founder, member = (Person(world, f"{name}-{members}") for name in ("founder", "member"))
    sender = App(system, founder, f"sender-{members}")
    listeners = [App(system, member, f"listener-{members}-{n}") for n in range(LISTENERS)]
    chat = Chat(world).crowd_of(members - 1, founder, sender.device)
    answer = founder.put(f"/groups/{chat}/members/{member.id}")
    if answer.status not in (200, 201, 204):
        raise ProbeFailed(f"a group took no member: {answer.status} {answer.text}")
    first = sender.send(chat)
    for each in listeners:
        each.frames.event(first.place)
    inboxes = _inboxes(system, first.place, members - 2)
    came: list[Came] = []
    stored: list[float] = []
    for _ in range(messages):
        sent = sender.send(chat)
        stored.append((_until_in(system, inboxes, sent.place) - sent.began) * 1000)
        came += [Came(sent, each.frames.event(sent.place)) for each in listeners]
    what = f"group of {members:,}"
    in_all = [
        Row(f"· {what}: in the last inbox, {name}", percentile(stored, share), "ms")
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]
    return [*_latency(what, came), *in_all]


def _inboxes(system: Offline, place: Place, count: int) -> list[str]:
    """The inboxes of the seeded members, as the first message came to them."""
    table, crowd = system.outputs["InboxesTable"], f"crowd-{system.world.run_id}-"
    pages = system.client("dynamodb").get_paginator("scan")

    def found() -> list[str]:
        answers = pages.paginate(
            TableName=table,
            FilterExpression="entry = :entry AND begins_with(device, :crowd)",
            ExpressionAttributeValues={
                ":entry": {"S": keys.inbox_entry(*place)},
                ":crowd": {"S": crowd},
            },
            ConsistentRead=True,
        )
        return [item["device"]["S"] for page in answers for item in page["Items"]]

    until = time.monotonic() + WITHIN
    while len(inboxes := found()) < count:
        if time.monotonic() > until:
            raise ProbeFailed(f"{len(inboxes)} of {count} inboxes have a message after {WITHIN:.0f} s")
        time.sleep(0.1)
    return inboxes


def _until_in(system: Offline, inboxes: Sequence[str], place: Place) -> float:
    """The moment at which the last of the inboxes is seen to have an event."""
    dynamodb, table, entry = (
        system.client("dynamodb"),
        system.outputs["InboxesTable"],
        keys.inbox_entry(*place),
    )
    missing = list(inboxes)
    until = time.monotonic() + WITHIN
    while missing:
        asked = missing[:100]
        wanted = [{"device": {"S": each}, "entry": {"S": entry}} for each in asked]
        answer = dynamodb.batch_get_item(
            RequestItems={table: {"Keys": wanted, "ConsistentRead": True, "ProjectionExpression": "device"}}
        )
        there = {item["device"]["S"] for item in answer["Responses"][table]}
        missing = [each for each in missing if each not in there]
        if len(there) < len(asked):
            time.sleep(0.005)
        if time.monotonic() > until:
            raise ProbeFailed(f"{len(missing)} inboxes have no event {place[1]} within {WITHIN:.0f} s")
    return time.time()


# A long absence


def _catch_up(system: Offline) -> list[Row]:
    """A device is away while a thousand messages come to one chat, and reads its inbox by pages when it is back.

    It acknowledges them at once, when it has them all: to each by itself, a thousand functions would be called.
    """
    sender, reader = (Person(system.world, name) for name in ("writes", "away"))
    chat = sender.chat_with(reader)
    device = Device(system.world, reader, "away-phone")
    device.acks = False
    device.register()
    events = [_event(chat, sender.id, seq) for seq in range(1, MISSED + 1)]
    began = time.monotonic()
    _store(system, events[:BY_STREAM])
    observer = Chat(system.world)
    _until(lambda: observer.inbox(device) == BY_STREAM, f"{BY_STREAM} messages in the inbox")
    delivered = time.monotonic() - began
    inbox = keys.inbox(reader.id, device.id)
    _write(system, "InboxesTable", [_entry(inbox, event) for event in events[BY_STREAM:]])
    began = time.monotonic()
    device.connect()
    seconds = time.monotonic() - began
    if device.shown(chat) != MISSED:
        raise ProbeFailed(f"a device that was back showed {device.shown(chat)} of {MISSED} messages")
    began = time.monotonic()
    device.socket.send({"action": "ack", "chat": chat, "seq": MISSED})
    _until(lambda: observer.inbox(device) == 0, "an empty inbox")
    emptied = time.monotonic() - began
    device.close()
    return [
        Row(f"{BY_STREAM} messages in one chat: stored at once, to an inbox", BY_STREAM / delivered, "/s"),
        Row(f"{MISSED:,} messages missed: back, a device has them all, by pages, after", seconds, "s"),
        Row("· acknowledged, its inbox is empty after", emptied, "s"),
    ]


def _event(chat: str, sender: str, seq: int) -> Event:
    now_ms = time.time_ns() // 1_000_000
    return Event(chat, seq, "message", sender, "seeded", uuid.uuid4().hex, now_ms, {"text": TEXT})


def _store(system: Offline, events: Sequence[Event]) -> None:
    """Put messages where the messaging service would have, at once; the stream brings them on their way."""
    _write(system, "MessagesTable", [_item(event) for event in events])
    system.client("dynamodb").update_item(
        TableName=system.outputs["ChatsTable"],
        Key={"chat": {"S": events[0].chat}, "entry": {"S": keys.HEAD}},
        UpdateExpression="SET seq = :last",
        ExpressionAttributeValues={":last": {"N": str(MISSED)}},
    )


def _item(event: Event) -> dict[str, Any]:
    """An event of its chat, as the table of messages has it."""
    return {
        "chat": {"S": event.chat},
        "entry": {"S": keys.sequence(event.seq)},
        "v": {"N": str(VERSION)},
        "kind": {"S": event.kind},
        "sender": {"S": event.sender},
        "device": {"S": event.device},
        "id": {"S": event.id},
        "at": {"N": str(event.at)},
        "body": {"S": json.dumps(event.body)},
    }


def _entry(inbox: str, event: Event) -> dict[str, Any]:
    """The same event in an inbox."""
    return {
        "device": {"S": inbox},
        "entry": {"S": keys.inbox_entry(event.chat, event.seq)},
        "event": {"S": encode(event).decode()},
        "expires_at": {"N": str(int(time.time()) + 86_400)},
    }


def _write(system: Offline, table: str, items: Sequence[dict[str, Any]]) -> None:
    dynamodb, name = system.client("dynamodb"), system.outputs[table]
    for batch in _batches(items):
        dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": each}} for each in batch]})


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]


def _until(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WITHIN
    while not holds():
        if time.monotonic() > until:
            raise ProbeFailed(f"not within {WITHIN:.0f} s: {what}")
        time.sleep(0.05)
