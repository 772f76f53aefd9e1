"""How a function answers CloudFormation's custom resource requests, with the standard library alone.

    def handler(event, context):
        answer(event, context, act)

`act(request_type, properties, old)` does the work ("Create", "Update" or "Delete") and returns the attributes that
`Fn::GetAtt` gives; `old` are an update's properties before it, and otherwise empty. What it raises fails the
deployment, with its text as the reason.
Source: "Custom resource request and response reference", AWS CloudFormation User Guide.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from lambdas.shared.observability import logger

Act = Callable[[str, Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]
LONGEST_REASON = 500
ANSWER_WITHIN_S = 30


def answer(event: Mapping[str, Any], context: Any, act: Act) -> None:
    """Do what CloudFormation asks, and tell it how that went: it waits for the answer, so there always is one."""
    document: dict[str, Any] = {
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        # The same for good: another one would make CloudFormation delete the resource of the old.
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
    }
    try:
        old = event.get("OldResourceProperties", {})
        document["Data"] = dict(act(event["RequestType"], event["ResourceProperties"], old))
        document["Status"] = "SUCCESS"
    except Exception as problem:
        logger.exception("the step failed")
        document["Status"] = "FAILED"
        where = f"see the log stream {context.log_stream_name}"
        document["Reason"] = f"{type(problem).__name__}: {str(problem)[:LONGEST_REASON]}; {where}"
    _put(event["ResponseURL"], json.dumps(document).encode())


def _put(url: str, body: bytes) -> None:
    if not url.startswith("https://"):
        raise ValueError("CloudFormation's address for answers is not https")
    request = urllib.request.Request(url, body, {"Content-Type": ""}, method="PUT")  # noqa: S310 (checked above)
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S):  # noqa: S310 (checked above)
        pass
