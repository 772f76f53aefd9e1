"""The door of the WebSocket API: whoever has a ticket that is good comes in, once.

A ticket is good for one connection, so that an address that leaks, in a log or a history, opens nothing. What is not
good is denied by a policy, which API Gateway answers with 403; an exception would be a 401 to the client, and to this
function's alarm an error, which anybody could then set off. Source: "Control access to WebSocket APIs with AWS Lambda
REQUEST authorizers" (API Gateway Developer Guide).
"""

from __future__ import annotations

import re
from typing import Any, Literal

from lambdas.messaging_platform.sign_in.store import tickets
from lambdas.shared.observability import count, logger, observed

TICKET = re.compile(r"[A-Za-z0-9_-]{16,256}")
NOBODY = "nobody"


@observed
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """REQUEST authorizer of `$connect`. Other services find `user` and `device` in `requestContext.authorizer`."""
    ticket = (event.get("queryStringParameters") or {}).get("ticket") or ""
    holder = tickets().use(ticket) if TICKET.fullmatch(ticket) else None
    if holder is None:
        logger.info("connection denied")
        count("ConnectionDenied")
        return policy("Deny", event["methodArn"], NOBODY)
    logger.info("connection allowed", user=holder.user, device=holder.device)
    return policy("Allow", event["methodArn"], holder.user, user=holder.user, device=holder.device)


def policy(effect: Literal["Allow", "Deny"], resource: str, principal: str, **context: str) -> dict[str, Any]:
    """What an authorizer answers: whether `principal` may do what they asked for, and nothing else."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {
        "principalId": principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context,
    }
