"""WebSocket APIs that never hear of a connection's end.

"Manage connected users and client apps" (API Gateway Developer Guide): `$disconnect` is a best-effort event, of which
API Gateway cannot guarantee the delivery; `@connections` answers 410 for a connection that is gone all the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway

from workbench.offline.control import Refused, command
from workbench.offline.standing import Fault, stand

_faults: dict[str, Fault] = {}  # by the API's id


@command("websockets/lose_disconnects")
def lose_disconnects(api: str) -> dict[str, str]:
    """Let no integration of the WebSocket API's `$disconnect` route be invoked."""
    if apigateway._api_protocol(api) != "WEBSOCKET":
        raise Refused(f"there is no WebSocket API {api}")
    if api in _faults:
        raise Refused(f"{api} loses its $disconnect events already")

    def end() -> None:
        del _faults[api]

    _faults[api] = Fault(end=end)
    return stand(_faults[api])


def extend() -> None:
    """Put the fault between the end of a connection and the function that is to hear of it."""
    apigateway._invoke_ws_lambda = _losing(apigateway._invoke_ws_lambda)


def _losing(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def invoked(
        api_id: str,
        account_id: str,
        region: str,
        route: dict[str, Any],
        stage: str,
        connection_id: str,
        event_type: str,
        *rest: Any,
        **named: Any,
    ) -> Any:
        if event_type == "DISCONNECT" and (fault := _faults.get(api_id)):
            fault.struck += 1
            return None
        return await invoke(
            api_id, account_id, region, route, stage, connection_id, event_type, *rest, **named
        )

    return invoked
