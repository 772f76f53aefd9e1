"""A chat as its reader sees it, made of the events that a device gets. Pure: this is what a client does.

    view = empty(chat, since=1)          # `since` of GET /chats/{chat}: the first event that this member may see
    for event in events:                 # from the socket, from `sync`, from history: in any order, and again
        view = apply(view, event)
    view.upto                            # what to acknowledge: all up to it is there
    view.missing                         # what to ask history for, when it stays for 2 seconds
    view = fill(view, after, page)       # what history says: the events after `after`, in their order

An event counts once, at its place: one that is there already is dropped, one that comes early is held back until all
before it are there. So the view is a function of the events alone, and not of how they came.

History shows messages in their present form, so on the way it may be ahead of events; at the head of the chat both
lead to the same view. An edit without a text was superseded, and changes nothing: what superseded it is there too, or
comes. A message that is shown as deleted stays so, whatever older edit comes after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lambdas.messaging_platform.records import Event


@dataclass(frozen=True)
class Line:
    """A message, or a change of the members, as it stands. `edited_at` and `deleted_at` are epoch milliseconds."""

    seq: int
    sender: str
    id: str
    at: int
    body: Mapping[str, Any]
    members: Mapping[str, Any] | None = None
    edited_at: int | None = None
    deleted_at: int | None = None


@dataclass(frozen=True)
class View:
    """All of a chat up to `upto`, by sequence number; and what came early."""

    chat: str
    upto: int
    lines: Mapping[int, Line] = field(default_factory=dict)
    held: Mapping[int, Event] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[int, int] | None:
        """The first gap, as the first and the last number that is missing; None where there is none."""
        return (self.upto + 1, min(self.held) - 1) if self.held else None


def empty(chat: str, since: int = 1) -> View:
    """The view of somebody to whom nothing has come yet, and who may see the events from `since` on."""
    return View(chat, since - 1)


def apply(view: View, event: Event) -> View:
    """The view with an event taken in; the same view where it is of another chat, or was there before."""
    if event.chat != view.chat or event.seq <= view.upto or event.seq in view.held:
        return view
    held = {**view.held, event.seq: event}
    lines, upto = dict(view.lines), view.upto
    while upto + 1 in held:
        upto += 1
        _show(lines, held.pop(upto))
    return View(view.chat, upto, lines, held)


def fill(view: View, after: int, page: Sequence[Event]) -> View:
    """The view with a page of history taken in: the events after `after`, in their order, of those that are theirs.

    What it passes over is not this reader's, who was not in the chat then, and came back: nothing is missing there.
    """
    for event in page:
        if after <= view.upto < event.seq:
            held = {seq: each for seq, each in view.held.items() if seq != event.seq}
            view = replace(view, upto=event.seq - 1, held=held)
        view, after = apply(view, event), event.seq
    return view


def _show(lines: dict[int, Line], event: Event) -> None:
    if event.kind in ("message", "members"):
        lines[event.seq] = Line(
            event.seq,
            event.sender,
            event.id,
            event.at,
            event.body,
            event.members,
            event.edited_at,
            event.deleted_at,
        )
        return
    target = lines.get(event.target or 0)
    if target is None:
        return  # it is about a message from before this reader's time
    if event.kind == "delete":
        lines[target.seq] = replace(target, body={}, deleted_at=event.at)
    elif event.body and target.deleted_at is None:
        lines[target.seq] = replace(target, body=event.body, edited_at=event.at)
