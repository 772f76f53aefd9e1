"""Clients of the offline AWS's own API, for what acts inside it in somebody's name."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from workbench.offline.surroundings import surroundings

if TYPE_CHECKING:
    import boto3

_KEPT = 64
_making = threading.Lock()  # a session makes one client at a time


def client_as(keys: Mapping[str, str], service: str, region: str, *, tries: int = 5) -> Any:
    """A client of `service` for who has these keys, by the names of the SDK's variables ("AWS_ACCESS_KEY_ID")."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return _client(service, region, tries, *(keys.get(each) for each in names))


@lru_cache(maxsize=_KEPT)
def _client(
    service: str, region: str, tries: int, key: str | None, secret: str | None, token: str | None
) -> Any:
    from botocore.config import Config

    with _making:
        make: Any = _session().client  # too many overloads to check
        return make(
            service,
            region_name=region,
            endpoint_url=surroundings().url,
            verify=str(surroundings().ca_bundle),
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": tries}),
        )


@cache
def _session() -> boto3.Session:
    """One for all: what it reads to make a client, it reads once. Imported late: most systems need none."""
    import boto3

    return boto3.Session()
