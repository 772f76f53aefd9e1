"""Lets a process of the system reach the endpoints of its APIs by their AWS names, though they are here.

On AWS a function or program talks to `https://<api>.execute-api.<region>.amazonaws.com`; offline that name is
nobody's, and port 443 belongs to the machine. In the processes of functions and programs such a name is an address of
the offline AWS, by its port, which shows a certificate for it; all that is above the socket, the request's signature
included, is as on AWS. Python only: what resolves names by itself (Node.js, librdkafka) is not changed.

Processes load it that know nothing of the workbench (`sitecustomize.py` beside it), so it imports nothing of that.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_API_NAME = re.compile(r"^[a-z0-9]+\.execute-api\.[a-z0-9-]+\.amazonaws\.com$")


def reach_apis(environment: Mapping[str, str]) -> None:
    """Have this process find APIs where its `AWS_ENDPOINT_URL` is; nothing happens without one."""
    endpoint = urlsplit(environment.get("AWS_ENDPOINT_URL", ""))
    if endpoint.hostname is None:
        return
    sockets: Any = socket
    resolve = sockets.getaddrinfo
    here = endpoint.hostname, endpoint.port or (443 if endpoint.scheme == "https" else 80)

    def resolve_apis_here(host: Any, port: Any, *how: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and _API_NAME.match(name.lower()):
            host, port = here
        return resolve(host, port, *how, **options)

    sockets.getaddrinfo = resolve_apis_here
