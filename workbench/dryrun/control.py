"""How a dry run asks its offline AWS for what no AWS API does: faults, by `POST /_blueprint/<command>`."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from workbench.dryrun.emulator import Endpoint

TIMEOUT_SECONDS = 60.0  # restarting a database is a command too


class CommandRefused(Exception):
    """The offline AWS did not carry a command out; the text says which, and why."""


class Control:
    """`control.call("redis/restart", name="cache")`; safe to use from several threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._url = endpoint.url
        self._pool = urllib3.PoolManager(
            maxsize=16, ca_certs=endpoint.ca_bundle, retries=False, timeout=TIMEOUT_SECONDS
        )

    def call(self, command: str, **arguments: Any) -> Any:
        """Carry `command` out, and return its answer. Raises `CommandRefused`."""
        try:
            answer = self._pool.request("POST", f"{self._url}/_blueprint/{command}", json=arguments)
            document = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as problem:
            raise CommandRefused(f"{command}: {self._url} did not answer it: {problem}") from None
        if answer.status != 200:
            raise CommandRefused(f"{command}: {document.get('error', document)}")
        return document

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()


def reach(endpoint: Endpoint) -> Control | None:
    """The control of the offline AWS at `endpoint`; None when what is there is not ours."""
    control = Control(endpoint)
    try:
        control.call("faults/standing")
    except CommandRefused:
        control.close()
        return None
    return control
