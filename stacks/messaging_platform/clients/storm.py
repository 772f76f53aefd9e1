"""A storm, and the oracle that says what everybody must see after it."""

from __future__ import annotations

import random
import uuid
from typing import Any

from stacks.messaging_platform.clients.device import Device

STEPS = 120


class Storm:
    """Random sends, edits, deletions, losses and returns; and the oracle: what the server acknowledged, by its place.

    The oracle begins with what all devices showed before, and from then on looks at acknowledgements alone, never at
    what devices received. What was sent without an answer is sent again with its id, as an app does, until there is
    one.
    """

    def __init__(self, chats: dict[str, tuple[Device, ...]], seed: int = 23) -> None:
        self._chats = chats
        self._devices = list(dict.fromkeys(device for each in chats.values() for device in each))
        self._random = random.Random(seed)  # noqa: S311 (no secret is made of it)
        self._before = {chat: devices[0].texts(chat) for chat, devices in chats.items()}
        self._begins = {chat: devices[0].shown(chat) + 1 for chat, devices in chats.items()}
        for chat, devices in chats.items():
            shown = {(tuple(device.texts(chat)), device.shown(chat)) for device in devices}
            assert len(shown) == 1, "before the storm all devices show the same"
        self._acknowledged: dict[str, dict[int, dict[str, Any]]] = {chat: {} for chat in chats}
        self._places: dict[str, int] = {}  # by the action's id: each has one, however often it is asked for
        self._unanswered: list[tuple[Device, dict[str, Any]]] = []

    def rage(self, steps: int = STEPS) -> None:
        for step in range(steps):
            device = self._random.choice(self._devices)
            what = self._random.random()
            if not device.connected:
                if what < 0.5:
                    device.connect()
            elif what < 0.12:
                device.drop()
            elif what < 0.2:
                device.close()
            else:
                self._act(device, step)

    def calm_down(self) -> None:
        """Everybody is back, and what had no answer is sent again."""
        for device in self._devices:
            if not device.connected:
                device.connect()
        for device, frame in self._unanswered:
            self._place(device, frame)

    def is_over(self) -> bool:
        """Whether every view is the oracle's."""
        for chat, devices in self._chats.items():
            expected = self.expected(chat)
            for device in devices:
                shown = device.texts(chat)
                assert shown == expected, f"{device.id} shows {len(shown)} of {len(expected)}"
        return True

    def expected(self, chat: str) -> list[str]:
        """What a reader must see: the acknowledged actions in the order of their places."""
        places = self._acknowledged[chat]
        assert sorted(places) == list(range(self._begins[chat], self._begins[chat] + len(places))), "a gap"
        standing = {}
        for seq in sorted(places):
            action = places[seq]
            if action["action"] == "send":
                standing[seq] = action["body"]["text"]
            elif action["action"] == "edit":
                standing[action["target"]] = action["body"]["text"]
            else:
                del standing[action["target"]]
        return self._before[chat] + list(standing.values())

    def _act(self, device: Device, step: int) -> None:
        chat = self._random.choice([chat for chat, devices in self._chats.items() if device in devices])
        frame: dict[str, Any] = {"action": "send", "chat": chat, "id": uuid.uuid4().hex}
        mine = self._of(device, chat)
        if mine and self._random.random() < 0.2:
            frame |= {"action": self._random.choice(("edit", "delete")), "target": self._random.choice(mine)}
        if frame["action"] != "delete":
            frame["body"] = {"text": f"{step} by {device.id}"}
        if self._random.random() < 0.15:  # gone before the answer comes
            device.send_and_drop(frame)
            self._unanswered.append((device, frame))
        else:
            self._place(device, frame)

    def _place(self, device: Device, frame: dict[str, Any]) -> None:
        for _ in range(1 + (self._random.random() < 0.2)):  # now and then twice
            answer = device.ask(frame)
            if answer["type"] == "refused" and frame["action"] != "send":
                assert answer["reason"] == "refused", (
                    answer
                )  # another device of theirs has deleted it meanwhile
                return
            assert answer["type"] == "sent", answer
            assert self._places.setdefault(frame["id"], int(answer["seq"])) == int(answer["seq"]), (
                "two places"
            )
            known = self._acknowledged[frame["chat"]].setdefault(
                int(answer["seq"]), {**frame, "by": device.owner}
            )
            assert known["id"] == frame["id"], "two actions have one place"

    def _of(self, device: Device, chat: str) -> list[int]:
        """The places of messages that the device's owner may still change."""
        places = self._acknowledged[chat]
        gone = {each["target"] for each in places.values() if each["action"] == "delete"}
        return [
            seq
            for seq, each in places.items()
            if each["action"] == "send" and each["by"] is device.owner and seq not in gone
        ]
