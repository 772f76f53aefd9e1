"""The oracle of the storm, against servers that break the promise: each must be noticed."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.messaging_platform.clients.storm import Storm

pytestmark = pytest.mark.fast


class Server:
    """A chat, as far as a device sees it. `breaks` is what it does wrong."""

    def __init__(self, breaks: str = "") -> None:
        self.breaks = breaks
        self.log: list[dict[str, Any]] = []
        self.told: list[int] = []  # the place that was answered last

    def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        known = [seq for seq, each in enumerate(self.log, 1) if each["id"] == frame["id"]]
        twice = self.breaks == "doubles" or (
            self.breaks == "doubles what it answered" and known[-1:] == self.told
        )
        if known and not twice:
            return self._told(known[0])
        if self.breaks == "refuses edits" and frame["action"] == "edit":
            return {"type": "refused", "reason": "unavailable"}
        self.log.append(frame)
        return self._told(len(self.log))

    def _told(self, seq: int) -> dict[str, Any]:
        self.told = [seq]
        return {"type": "sent", "seq": seq}

    def texts(self) -> list[str]:
        standing: dict[int, str] = {}
        for seq, each in enumerate(self.log, 1):
            if each["action"] == "send":
                standing[seq] = each["body"]["text"]
            elif each["action"] == "edit":
                standing[each["target"]] = each["body"]["text"]
            else:
                standing.pop(each["target"], None)
        found = list(standing.values())
        return found[:-1] if self.breaks == "loses" else found[::-1] if self.breaks == "reorders" else found


class Seen:
    """A device whose socket never ends."""

    connected = True
    owner = "ada"

    def __init__(self, server: Server, id: str) -> None:
        self._server, self.id = server, id

    def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        return self._server.ask(frame)

    def texts(self, _: str) -> list[str]:
        return self._server.texts()

    def shown(self, _: str) -> int:
        return len(self._server.log)

    def connect(self) -> None: ...
    def close(self) -> None: ...
    def drop(self) -> None: ...

    def send_and_drop(self, frame: dict[str, Any]) -> None:
        self._server.ask(frame)  # stored, and nobody is told
        self._server.told = []


def _after_a_storm(server: Server) -> bool:
    devices: Any = (Seen(server, "phone"), Seen(server, "laptop"))
    storm = Storm({"chat": devices})
    storm.rage()
    storm.calm_down()
    return storm.is_over()


def test_a_server_that_keeps_the_promise_passes() -> None:
    assert _after_a_storm(Server())


@pytest.mark.parametrize(
    "breaks", ["doubles", "doubles what it answered", "loses", "reorders", "refuses edits"]
)
def test_a_server_that_breaks_the_promise_is_noticed(breaks: str) -> None:
    with pytest.raises(AssertionError):
        _after_a_storm(Server(breaks))
