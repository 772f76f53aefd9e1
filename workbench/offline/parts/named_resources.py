"""Which resource a call names, for IAM, where MiniStack reads the path of the request wrongly.

Kafka's paths hold whole ARNs (`/v1/clusters/arn%3Aaws%3Akafka…/bootstrap-brokers`), of which MiniStack takes the
last part for a name: no grant on a cluster would ever fit.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from ministack.core import iam_actions

_ARN = re.compile(r"/(arn:aws:kafka:[^/]+/[^/]+/[^/]+)")


def extend() -> None:
    extract = iam_actions.extract_resource_arn

    def named(service: str, method: str, path: str, *rest: Any, **more: Any) -> str:
        found = _ARN.search(unquote(path)) if service == "kafka" else None
        return found[1] if found else str(extract(service, method, path, *rest, **more))

    iam_actions.extract_resource_arn = named
