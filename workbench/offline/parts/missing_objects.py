"""What S3 answers of an object that is not there: 404 to who may list its bucket, and 403 to everybody else.

MiniStack answers 404 to all who may read it. The decision on `s3:ListBucket` is written down as all are, so that the
grant counts as used; root is never asked. Sources: "GetObject" and "HeadObject" (Permissions), Amazon S3 API
Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ministack.app as app
from ministack.core.responses import get_account_id
from ministack.core.router import extract_access_key_id
from ministack.services import s3

from workbench.offline.parts import Answer


def extend() -> None:
    """Ask where GetObject or HeadObject finds nothing. By then MiniStack has settled whether they may read it."""
    s3._get_object = _telling_who_may_list(s3._get_object)
    s3._head_object = _telling_who_may_list(s3._head_object)


def _telling_who_may_list(read: Callable[..., Answer]) -> Callable[..., Answer]:
    def answer(
        bucket: str,
        key: str,
        headers: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Answer:
        found = read(bucket, key, headers or {}, query or {})
        if found[0] != 404 or b"<Code>NoSuchKey</Code>" not in found[2]:
            return found
        return _refusal(bucket, headers or {}, query or {}) or found

    return answer


def _refusal(bucket: str, headers: Mapping[str, Any], query: Mapping[str, Any]) -> Answer | None:
    """What who may not list the bucket is told; None for who may."""
    arn = f"arn:aws:s3:::{bucket}"
    if extract_access_key_id(headers, query):
        refused: Answer | None = app._enforce_data_plane(
            "s3", "s3:ListBucket", headers, query, "", resource_arn=arn, named_resource=f'"{arn}"'
        )
        return refused
    if s3._foreign_bucket_allows(get_account_id(), bucket, "", "GET", {}, "", headers):  # everybody may
        return None
    denied: Answer = s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}")
    return denied
