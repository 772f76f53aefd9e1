"""WebSocket APIs, served as API Gateway does (`socket_apis.py`), and a fault: not to hear of a connection's end.

"Manage connected users and client apps" (API Gateway Developer Guide): `$disconnect` is a best-effort event, of which
API Gateway cannot guarantee the delivery; `@connections` answers 410 for a connection that is gone all the same.
"""

from __future__ import annotations

from ministack.services import apigateway

from workbench.offline import socket_apis
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
    """Serve WebSocket APIs, with the fault between the end of a connection and who is to hear of it."""
    socket_apis.extend(_is_lost)


def _is_lost(api: str) -> bool:
    if (fault := _faults.get(api)) is None:
        return False
    fault.struck += 1
    return True
