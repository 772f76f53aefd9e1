"""What an app does on a device: it connects, sends with ids of its own, keeps each chat in order, and catches up.

    device = Device(world, person, "phone")
    device.register()
    device.connect()
    device.send(chat, "hello")                 # the sequence number that the server gave it
    device.texts(chat)                         # what its reader sees, in order

A frame that comes twice is dropped, one that comes early is held back until those before it are there, and what never
comes is asked for: by `sync` after connecting, and from the chat's history where the inbox no longer has it.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from workbench.dryrun.http import Response
from workbench.dryrun.world import World

ANSWERED_WITHIN = 15.0
BEAT_EVERY = 3.0  # seconds, in the mean; a sandbox takes a device for gone after ten
JITTER = 0.2  # of it: those who came back together do not beat together
PAGE = 20  # events
AGAIN_AFTER = 0.5  # seconds between two tries to connect
GAP_AFTER = 2.0  # seconds that a gap may stay before it is asked for
Document = Mapping[str, Any]


class Person:
    """Somebody with an account, who asks the HTTP API in their own name."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name
        self.url = world.outputs["ApiUrl"]
        self.token = world.sign_in(world.outputs["UserPoolId"], world.outputs["ClientId"], name)
        self.id = str(self.put("/me", {"name": name}).json()["user"])

    def get(self, path: str, token: str | None = None) -> Response:
        return self.ask("GET", path, None, token)

    def post(
        self, path: str, document: Document, *, key: str | None = None, token: str | None = None
    ) -> Response:
        return self.ask("POST", path, document, token, {"Idempotency-Key": key} if key else {})

    def put(self, path: str, document: Document | None = None, token: str | None = None) -> Response:
        return self.ask("PUT", path, document or {}, token)

    def delete(self, path: str, token: str | None = None) -> Response:
        return self.ask("DELETE", path, None, token)

    def chat_with(self, other: Person) -> str:
        """The chat of the two."""
        answer = self.post("/chats", {"with": other.id})
        assert answer.status in (200, 201, 204), answer.text
        return str(answer.json()["chat"])

    def group(self, name: str, *members: Person) -> str:
        """A new group of this person and `members`."""
        wish = {"name": name, "members": [each.id for each in members]}
        answer = self.post("/groups", wish, key=uuid.uuid4().hex)
        assert answer.status == 201, answer.text
        return str(answer.json()["chat"])

    def ask(
        self,
        method: str,
        path: str,
        document: Document | None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        return self._world.http.request(
            method,
            self.url + path,
            json=document,
            headers=headers or {},
            bearer=self.token if token is None else token,
        )


class Device:
    """One device of a person, and what its reader sees of each chat."""

    def __init__(self, world: World, owner: Person, name: str) -> None:
        self._world = world
        self.owner = owner
        self.id = f"{name}-{world.run_id}"
        self.socket: Any = None
        self.frames: list[Document] = []  # all that ever came, as it came
        self.presence: dict[str, Document] = {}
        self.receipts: dict[tuple[str, str], Document] = {}  # by chat and user
        self.typing: dict[tuple[str, str], bool] = {}
        self._replies: dict[str, Document] = {}  # by the action's id
        self._others: list[Document] = []  # replies to what has no id
        self._logs: dict[str, dict[int, Document]] = {}
        self._shown: dict[str, int] = {}  # the last sequence number without a gap
        self._begins: dict[str, int] = {}  # the first that this device may see
        self._gap_since: dict[str, float] = {}
        self._lock = threading.RLock()
        self._reader: threading.Thread | None = None
        self.acks = True  # whether it says what it has got
        self.comes_back = False  # by itself, when its socket has ended; from `connect` until it leaves
        self._watched: tuple[str, ...] = ()

    def register(self) -> None:
        answer = self.owner.put(f"/devices/{self.id}", {"platform": "web", "push_token": f"push-{self.id}"})
        assert answer.status in (200, 201, 204), answer.text

    def ticket(self) -> str:
        """An address to connect to, good once."""
        answer = self.owner.post(f"/devices/{self.id}/tickets", {})
        assert answer.status in (200, 201, 204), answer.text
        return str(answer.json()["url"])

    def connect(self) -> None:
        """Open the socket, and catch up with what came meanwhile."""
        socket = self._world.socket(self.ticket())
        self.comes_back = True
        self._begin(socket)
        self.catch_up()

    @property
    def connected(self) -> bool:
        return self.socket is not None and not self.socket.closed

    def close(self) -> None:
        """Leave in order."""
        self._end("close")

    def drop(self) -> None:
        """Be gone without a word."""
        self._end("drop")

    # What it does.

    def send(self, chat: str, text: str, *, id: str | None = None) -> int:
        """Send a message; its place in the chat. The same `id` again is the same message."""
        return self._place(
            {"action": "send", "chat": chat, "id": id or uuid.uuid4().hex, "body": {"text": text}}
        )

    def send_media(self, chat: str, media: str) -> int:
        return self._place({"action": "send", "chat": chat, "id": uuid.uuid4().hex, "body": {"media": media}})

    def edit(self, chat: str, target: int, text: str) -> int:
        action = {"action": "edit", "chat": chat, "id": uuid.uuid4().hex, "target": target}
        return self._place({**action, "body": {"text": text}})

    def delete(self, chat: str, target: int) -> int:
        return self._place({"action": "delete", "chat": chat, "id": uuid.uuid4().hex, "target": target})

    def read(self, chat: str) -> None:
        """Say that its reader has seen all that is shown of a chat."""
        self._put({"action": "read", "chat": chat, "seq": self.shown(chat)})

    def type(self, chat: str, on: bool = True) -> None:
        self._put({"action": "typing", "chat": chat, "on": on})

    def watch(self, *people: Person) -> None:
        """Ask after `people` from now on, with every heartbeat."""
        self._watched = tuple(each.id for each in people)
        self._put({"action": "heartbeat", "watch": list(self._watched)})

    def ask(self, frame: Document) -> Document:
        """Send a frame with an id, and return the answer to it; again where none comes, as an app does.

        Raises `AssertionError` where none comes to any of them.
        """
        for last in (False, False, True):
            self._put(frame)
            try:
                return self._answer_to(str(frame["id"]))
            except AssertionError:
                if last:
                    raise
        raise AssertionError("not reached")

    def send_and_drop(self, frame: Document) -> None:
        """Send a frame, and be gone before its answer comes."""
        self._put(frame)
        self.drop()

    def catch_up(self) -> None:
        """Read the inbox by pages over HTTP, then fill what the inbox no longer has from the chat's history."""
        cursor: str | None = None
        came: set[str] = set()
        while True:
            path = f"/sync/{self.id}?limit={PAGE}" + (f"&after={cursor}" if cursor else "")
            answer = self.owner.get(path.replace("#", "%23"))
            assert answer.status == 200, answer.text
            page = answer.json()
            for event in page["events"]:
                came.add(str(event["chat"]))
                self._take(event, says_so=False)  # once for the page
            cursor = page["cursor"]
            if not cursor:
                break
        for chat in list(self._logs):
            self._fill(chat)
        for chat in came:  # also what had been shown already: its acknowledgement was lost
            self._say_what_came(chat, by_http=True)

    # What its reader sees.

    def shown(self, chat: str) -> int:
        """The last sequence number up to which nothing is missing; 0 where nothing came."""
        return self._shown.get(chat, 0)

    def log(self, chat: str) -> list[Document]:
        """The events of a chat in order, up to the first gap."""
        with self._lock:
            events, last = self._logs.get(chat, {}), self.shown(chat)
            return [events[seq] for seq in sorted(events) if seq <= last]

    def texts(self, chat: str) -> list[str]:
        """The messages as they stand: edited ones in their last form, deleted ones left out."""
        standing: dict[int, str] = {}
        for event in self.log(chat):
            # In history, what was edited again or deleted has no text any more: what came after it is there, too.
            body = event.get("body", {})
            if event["kind"] == "message":
                standing[event["seq"]] = str(body.get("text", body.get("media")))
            elif event["kind"] == "edit" and event["target"] in standing:
                standing[event["target"]] = str(body.get("text"))
            elif event["kind"] == "delete":
                standing.pop(event["target"], None)
        return list(standing.values())

    def times_received(self, chat: str, seq: int) -> int:
        """How often an event came over the socket: once or more is the network's affair, and nobody sees it."""
        return sum(
            1
            for each in self.frames
            if each.get("chat") == chat and each.get("seq") == seq and each["type"] == "event"
        )

    # How it is done.

    def _place(self, frame: Document) -> int:
        answer = self.ask(frame)
        assert answer["type"] == "sent", answer
        return int(answer["seq"])

    def _answer_to(self, id: str) -> Document:
        def answered() -> Document | None:
            with self._lock:
                return self._replies.pop(id, None)

        found = self._world.eventually(answered, within=ANSWERED_WITHIN, what=f"an answer to {id}")
        assert found is not None
        return found

    def _read(self, socket: Any) -> None:
        beat_at = time.monotonic() + self._pause()
        while not socket.closed:
            with suppress(AssertionError):
                self._frame(socket.receive(0.2))
            self._look_for_gaps()
            if time.monotonic() > beat_at:
                beat_at = time.monotonic() + self._pause()
                with suppress(Exception):  # it may be closed by now
                    self._beat(socket)
        self._come_back(socket)

    def _come_back(self, ended: Any) -> None:
        """Open another socket in the place of `ended`, and catch up: again and again, as an app does."""
        current = ended
        while current is ended and self._wants_to_go_on(ended):
            with suppress(Exception):  # whoever lets it in may be busy, or about to be replaced
                current = self._world.socket(self.ticket())
                with self._lock:  # it may have left meanwhile
                    if not self._wants_to_go_on(ended):
                        current.close()
                        return
                    self._begin(current)
            if current is ended:
                time.sleep(AGAIN_AFTER)
        while self._wants_to_go_on(current):
            with suppress(Exception):
                self.catch_up()
                return
            time.sleep(AGAIN_AFTER)

    def _wants_to_go_on(self, socket: Any) -> bool:
        return self.comes_back and self.socket is socket

    def _begin(self, socket: Any) -> None:
        self.socket = socket
        self._reader = threading.Thread(target=self._read, args=(socket,), daemon=True)
        self._reader.start()

    def _put(self, frame: Document) -> None:
        """Send a frame, once there is a socket to send it on."""

        def put() -> bool:
            try:
                self.socket.send(dict(frame))
            except Exception:  # it has just ended, whatever way: the device is coming back
                return False
            return True

        self._world.eventually(put, within=ANSWERED_WITHIN, what=f"{self.id} has a socket")

    @staticmethod
    def _pause() -> float:
        """Seconds until the next heartbeat."""
        return BEAT_EVERY * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret is made of it)

    def _beat(self, socket: Any) -> None:
        socket.send({"action": "heartbeat", "watch": list(self._watched)})

    def _frame(self, frame: Document) -> None:
        kind = frame.get("type")
        with self._lock:
            self.frames.append(frame)
            if kind == "event":
                self._take(frame)
            elif kind in ("sent", "refused") and frame.get("id"):
                self._replies[str(frame["id"])] = frame
            elif kind == "receipt":
                self.receipts[frame["chat"], frame["user"]] = frame
            elif kind == "presence":
                self.presence[frame["user"]] = frame
            elif kind == "typing":
                self.typing[frame["chat"], frame["user"]] = frame["on"]
            elif kind == "alive":
                self.presence.update(frame["users"])

    def _take(self, event: Document, *, says_so: bool = True) -> None:
        """Keep an event in its place, once; say so when its chat has come further."""
        with self._lock:
            chat, seq = str(event["chat"]), int(event["seq"])
            log = self._logs.setdefault(chat, {})
            log.setdefault(seq, event)
            before = self.shown(chat)
            if not before and seq > 1 and chat not in self._begins:
                self._begins[chat] = self._since(chat)
            last = before or self._begins.get(chat, 1) - 1
            while last + 1 in log:
                last += 1
            if last > before and last in log:
                self._shown[chat] = last
                if says_so:
                    self._say_what_came(chat)
            if max(log) > self.shown(chat):
                self._gap_since.setdefault(chat, time.monotonic())
            else:
                self._gap_since.pop(chat, None)

    def _say_what_came(self, chat: str, *, by_http: bool = False) -> None:
        frame = {"action": "ack", "chat": chat, "seq": self.shown(chat)}
        if not self.acks:
            return
        if self.connected:
            with suppress(Exception):  # a socket that has just ended: it will be said after the next sync
                self.socket.send(frame)
        elif by_http:
            answer = self.owner.post(f"/actions/{self.id}", frame)
            assert answer.status == 200, answer.text

    def _since(self, chat: str) -> int:
        answer = self.owner.get(f"/chats/{chat}")
        assert answer.status == 200, answer.text
        return int(answer.json()["since"])

    def _look_for_gaps(self) -> None:
        with self._lock:
            late = [chat for chat, since in self._gap_since.items() if time.monotonic() - since > GAP_AFTER]
        for chat in late:
            self._fill(chat)

    def _fill(self, chat: str) -> None:
        """Ask the chat's history for what is missing."""
        while self._logs[chat] and max(self._logs[chat]) > self.shown(chat):
            after = self.shown(chat) or self._begins.get(chat, 1) - 1
            answer = self.owner.get(f"/chats/{chat}/messages?after={after}&limit={PAGE}")
            assert answer.status == 200, answer.text
            found = answer.json()["events"]
            for event in found:
                self._take(event)
            if not found or self.shown(chat) == after:
                return

    def _end(self, how: str) -> None:
        with self._lock:
            self.comes_back = False
            socket, self.socket = self.socket, None
        if socket is not None:
            getattr(socket, how)()
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(timeout=2)
