"""A deployment step that empties a bucket when its stack is destroyed, every version of every object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdas.shared.custom_resource import answer
from lambdas.shared.sdk import bounded_client


def handler(event: dict[str, Any], context: Any) -> None:
    answer(event, context, _act)


def _act(request_type: str, properties: Mapping[str, Any], _old: Mapping[str, Any]) -> Mapping[str, Any]:
    if request_type == "Delete":
        empty(bounded_client("s3", connect_s=5, read_s=60, attempts=5), str(properties["Bucket"]))
    return {}


def empty(s3: Any, bucket: str) -> int:
    """Delete every object of `bucket`, with all its versions and markers; return how many there were.

    Raises `RuntimeError` when S3 refuses to delete some.
    """
    count = 0
    # Always the first page: what was on it is gone the next time.
    while objects := _first_page(s3, bucket):
        refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors")
        if refused:
            first = refused[0]
            raise RuntimeError(f"{len(refused)} objects stay, such as {first['Key']}: {first['Code']}")
        count += len(objects)
    return count


def _first_page(s3: Any, bucket: str) -> list[dict[str, str]]:
    page = s3.list_object_versions(Bucket=bucket)
    found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    return [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
