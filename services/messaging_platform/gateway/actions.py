"""What a connection may ask, done by the same logic that the functions behind API Gateway use. All of it blocks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.messaging_platform.frames import Frame, action_of, read_frame
from lambdas.messaging_platform.messaging import logic as messaging
from lambdas.messaging_platform.messaging.models import Caller
from lambdas.messaging_platform.messaging.socket import report
from lambdas.messaging_platform.presence import logic as presence
from lambdas.messaging_platform.presence.logic import Services, Socket
from lambdas.messaging_platform.presence.socket import acted
from lambdas.messaging_platform.sign_in.authorize import TICKET
from lambdas.messaging_platform.sign_in.store import Holder
from lambdas.shared.errors import Malformed, Unavailable

OF_PRESENCE = ("heartbeat", "typing")


class Tickets(Protocol):
    """sign_in.store.Tickets keeps it."""

    def use(self, ticket: str) -> Holder | None: ...


class Actions:
    """The door and the actions. Threads may share it."""

    def __init__(
        self,
        tickets: Tickets,
        store: messaging.Store,
        services: Services,
        log: Logger,
        now_ms: Callable[[], int],
    ) -> None:
        self._tickets = tickets
        self._store = store
        self._services = services
        self._log = log
        self._now_ms = now_ms

    def admit(self, ticket: str) -> Holder | None:
        """Whose ticket it is, used up by this; None of one that is not good. Raises `Unavailable`."""
        return self._tickets.use(ticket) if TICKET.fullmatch(ticket) else None

    def connect(self, socket: Socket) -> None:
        """Note a connection. Raises a `DomainError` for one that is not to stay."""
        presence.connect(socket, self._services)

    def disconnect(self, socket: Socket) -> None:
        """Forget a connection."""
        presence.disconnect(socket, self._services)

    def answer(self, socket: Socket, text: str | bytes) -> str | None:
        """The frame to answer to a frame, of whatever shape; None where nothing is answered. Raises nothing."""
        frame: Frame = {}
        try:
            frame = read_frame(text)
            if (action := action_of(frame)) in OF_PRESENCE:
                body = text if isinstance(text, str) else text.decode()
                return acted(str(action), body, socket, self._services).get("body")
        except (Malformed, UnicodeDecodeError):
            pass  # messaging says what is wrong with it
        except Exception:
            return self._failed(socket, frame)
        try:
            caller = Caller(socket.user, socket.device)
            reply = messaging.answer(caller, text, self._now_ms(), self._store)
            report(caller, reply)
        except Exception:
            return self._failed(socket, frame)
        return _json(reply)

    def _failed(self, socket: Socket, frame: Frame) -> str:
        """A fault of the deployment, or of the program: who asked is answered, and may ask again."""
        self._log.exception("a frame failed", user=socket.user, device=socket.device)
        return _json(messaging.refusal(frame, Unavailable("something went wrong; try again")))


def _json(frame: object) -> str:
    return json.dumps(frame, separators=(",", ":"), ensure_ascii=False)
