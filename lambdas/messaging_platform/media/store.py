"""The only module of the media service that talks to AWS: two DynamoDB tables, S3's multipart uploads, one secret.

Reads are strongly consistent: who was removed from a chat a moment ago sees nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.media.logic import signed_url
from lambdas.messaging_platform.media.records import (
    ArrivedPart,
    Media,
    Membership,
    PartChanged,
    State,
    UploadGone,
    as_item,
    from_item,
    original_key,
)
from lambdas.messaging_platform.membership import earlier_of
from lambdas.messaging_platform.settings import MediaSettings
from lambdas.shared.sdk import bounded, bounded_client, code_of, instead_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from types_boto3_dynamodb import DynamoDBClient

# The conditions that keep the promises. A test takes each of them away, and sees the promise break.
IF_NEW = "attribute_not_exists(media)"
IF_IN_STATE = "#state IN ({})"

LISTED_AT_ONCE = 1_000  # the most that ListParts answers
# S3 copies nothing when it completes an upload, and takes seconds for one of many parts.
S3_CONNECT_S, S3_READ_S, S3_ATTEMPTS = 1.0, 8.0, 2

_client = bounded_client  # a name of this module's, around which its tests put a cache


def s3_client() -> object:
    """A client of S3 whose presigned URLs are of Signature Version 4 and name the bucket's own region.

    Left alone, botocore signs URLs by version 2, which signs no length, where a region still takes that, and for the
    global endpoint, which redirects those who ask for a new bucket of another region.
    """
    return bounded_client(
        "s3",
        S3_CONNECT_S,
        S3_READ_S,
        S3_ATTEMPTS,
        signature_version="s3v4",
        s3={"addressing_style": "virtual"},
    )


class Store:
    """The tables, the bucket and the key. One for the life of the process; its clients are made when first needed."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings

    # Items

    def find(self, media: str) -> Media | None:
        """A piece of media, or None."""
        item = self._get(self._settings.media_table, {"media": {"S": media}})
        return from_item(item) if item else None

    def add(self, media: Media) -> None:
        """Keep new media. Again is the same: its id is drawn for it, so who has it is the same request."""
        from botocore.exceptions import ClientError

        try:
            with bounded():
                self._dynamodb.put_item(
                    TableName=self._settings.media_table,
                    Item=as_item(media),
                    ConditionExpression=IF_NEW,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            if cast("dict[str, Any]", error.response).get("Item", {}).get("upload") != {"S": media.upload}:
                raise

    def move(self, media: str, before: Sequence[State], to: State, reason: str | None = None) -> bool:
        """Bring media from one of the states `before` to the state `to`; return whether it was in one of those."""
        from botocore.exceptions import ClientError

        values = {f":before{place}": {"S": state} for place, state in enumerate(before)}
        change = "SET #state = :to" + (", reason = :reason" if reason else "")
        told = {":reason": {"S": reason}} if reason else {}
        try:
            with bounded():
                self._dynamodb.update_item(
                    TableName=self._settings.media_table,
                    Key={"media": {"S": media}},
                    UpdateExpression=change,
                    ConditionExpression=IF_IN_STATE.format(", ".join(values)),
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues={":to": {"S": to}, **told, **values},
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def membership(self, chat: str, user: str) -> Membership | None:
        """What a user may see of a chat, or None where they never were in it, or there is none."""
        member = self._get(self._settings.chats_table, _entry(chat, keys.member(user)))
        head = self._get(self._settings.chats_table, _entry(chat, keys.HEAD)) if member else None
        if member is None or head is None:
            return None
        return Membership(
            since=int(member["since"]["N"]),
            until=int(member["until"]["N"]) if "until" in member else None,
            head=int(head.get("seq", {}).get("N", 0)),
            earlier=earlier_of(member),
        )

    # Uploads

    def begin_upload(self, media: str) -> str:
        """Begin a multipart upload; its id. One that nobody finishes is ended by the bucket's lifecycle."""
        with bounded():
            begun = self._s3.create_multipart_upload(
                Bucket=self._settings.uploads_bucket, Key=original_key(media)
            )
        return str(begun["UploadId"])

    def part_url(self, media: Media, number: int, size: int, seconds: int) -> str:
        """Where `PUT` puts a part, in the name of this function, for so many seconds.

        The length is signed, so that no more comes than was declared. A checksum is the client's to send, as
        `Content-MD5`: S3 refuses an `x-amz-` header that is not signed, and what a part will hold is not known here.
        ("UploadPart" and "Authenticating Requests: Using Query Parameters", Amazon S3 API Reference)
        """
        parameters = {
            **self._named(media),
            "PartNumber": number,
            "ContentLength": size,
        }
        return str(self._s3.generate_presigned_url("upload_part", Params=parameters, ExpiresIn=seconds))

    def arrived(self, media: Media, after: int, most: int) -> list[ArrivedPart]:
        """Up to `most` of the parts that S3 has, by number, those after number `after`. Raises `UploadGone`."""
        found: list[ArrivedPart] = []
        while len(found) < most:
            with bounded(), _upload_gone():
                page = self._s3.list_parts(
                    **self._named(media),
                    PartNumberMarker=found[-1].number if found else after,
                    MaxParts=min(most - len(found), LISTED_AT_ONCE),
                )
            found += [
                ArrivedPart(part["PartNumber"], part["ETag"], part["Size"]) for part in page.get("Parts", [])
            ]
            if not page.get("IsTruncated"):
                break
        return found

    def complete_upload(self, media: Media, parts: Sequence[ArrivedPart]) -> None:
        """Make one object of exactly these parts. Raises `UploadGone`, and `PartChanged` where one is another now."""
        named = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        changed = PartChanged("a part was put again meanwhile; complete it again")
        with bounded(), _upload_gone(), instead_of("InvalidPart", changed):
            self._s3.complete_multipart_upload(**self._named(media), MultipartUpload={"Parts": named})

    def abort_upload(self, media: Media) -> None:
        """Give an upload up, if it is still there."""
        try:
            with bounded(), _upload_gone():
                self._s3.abort_multipart_upload(**self._named(media))
        except UploadGone:
            return

    # Delivery

    def address(self, key: str, expires_at: int) -> str:
        """Where the edge gives an object out until `expires_at` (epoch s)."""
        url = f"https://{self._settings.edge_host}/{key}"
        return signed_url(url, expires_at, self._settings.key_pair_id, self._sign)

    def _sign(self, text: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1

        return self._private_key.sign(text, PKCS1v15(), SHA1())  # noqa: S303 (what CloudFront checks)

    @cached_property
    def _private_key(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        secrets: Any = _client("secretsmanager")
        with bounded():
            kept = secrets.get_secret_value(SecretId=self._settings.private_key_secret_arn)
        text = json.loads(kept["SecretString"])["private_key"]
        return cast("RSAPrivateKey", load_pem_private_key(text.encode(), password=None))

    # The SDK

    def _named(self, media: Media) -> dict[str, Any]:
        return {"Bucket": self._settings.uploads_bucket, "Key": media.key, "UploadId": media.upload}

    def _get(self, table: str, key: dict[str, Any]) -> dict[str, Any] | None:
        with bounded():
            answer = self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
        return cast("dict[str, Any] | None", answer.get("Item"))

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", _client("dynamodb"))

    @cached_property
    def _s3(self) -> Any:
        return s3_client()


@lru_cache(maxsize=1)
def store() -> Store:
    """The store of this process, as its environment says."""
    return Store(MediaSettings.from_environment())


def _upload_gone() -> AbstractContextManager[None]:
    return instead_of("NoSuchUpload", UploadGone())


def _entry(chat: str, entry: str) -> dict[str, Any]:
    return {"chat": {"S": chat}, "entry": {"S": entry}}
