"""What the inspection asks of AWS: a queue, two buckets and the table of media."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from lambdas.messaging_platform.media.kinds import disposition
from lambdas.messaging_platform.media.records import (
    Media,
    Reason,
    from_item,
    original_key,
    thumbnail_key,
)
from lambdas.messaging_platform.settings import InspectSettings
from lambdas.shared.sdk import bounded, bounded_client, code_of, instead_of

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

# What keeps a repeat from changing what was decided. A test takes it away, and sees a verdict overturned.
IF_CHECKING = "#state = :checking"

WAIT_S = 10  # of a long poll, and so how long an end may take while nothing comes
PIECE_BYTES = 1024 * 1024
# What lies under a key never changes. `private`: for the viewer's own cache, not for one that others share.
CACHE_CONTROL = "private, max-age=31536000, immutable"
CONNECT_S, READ_S, COPY_S = 2.0, 30.0, 300.0  # S3 copies 2 GB in one call

_client = bounded_client  # a name of this module's, around which its tests put a cache


class Expired(Exception):
    """The upload is no longer in its bucket."""


@dataclass(frozen=True)
class Message:
    """A message of the queue; `receives` counts this time too."""

    body: str
    receipt: str
    receives: int


class Queue:
    """The queue of uploads. Threads may share it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def receive(self, hidden_s: int) -> Message | None:
        """The next message, hidden from others for so long, or None when `WAIT_S` bring none."""
        with bounded():
            found = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=WAIT_S,
                VisibilityTimeout=hidden_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ).get("Messages", [])
        if not found:
            return None
        receives = int(found[0]["Attributes"]["ApproximateReceiveCount"])
        return Message(found[0]["Body"], found[0]["ReceiptHandle"], receives)

    def hide(self, message: Message, seconds: int) -> None:
        """Let nobody else have the message for so long, from now."""
        with bounded():
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.receipt, VisibilityTimeout=seconds
            )

    def delete(self, message: Message) -> None:
        with bounded():
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)

    @cached_property
    def _sqs(self) -> SQSClient:
        return cast("SQSClient", _client("sqs", CONNECT_S, WAIT_S + 10.0))


class Store:
    """The buckets and the table. Threads may share it."""

    def __init__(self, settings: InspectSettings) -> None:
        self._settings = settings

    def find(self, media: str) -> Media | None:
        """A piece of media, or None."""
        with bounded():
            answer = self._dynamodb.get_item(
                TableName=self._settings.media_table, Key={"media": {"S": media}}, ConsistentRead=True
            )
        item = cast("dict[str, Any] | None", answer.get("Item"))
        return from_item(item) if item else None

    @contextmanager
    def open(self, media: Media) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The ETag of an upload, and its bytes in pieces. Raises `Expired`."""
        with bounded(), _expired():
            found = self._s3.get_object(Bucket=self._settings.uploads_bucket, Key=media.key)
        body = found["Body"]
        try:
            yield str(found["ETag"]), body.iter_chunks(PIECE_BYTES)
        finally:
            body.close()

    def publish(self, media: Media, etag: str, thumbnail: bytes | None) -> None:
        """Copy an upload, as it was when it had this ETag, to the media bucket, and put its thumbnail beside it.

        Again is the same. Raises `Expired`.
        """
        if thumbnail is not None:
            with bounded():
                self._s3.put_object(
                    Bucket=self._settings.media_bucket,
                    Key=thumbnail_key(media.id),
                    Body=thumbnail,
                    ContentType="image/jpeg",
                    ContentDisposition="inline",
                    CacheControl=CACHE_CONTROL,
                )
        with bounded(), _expired():
            self._copying.copy_object(
                Bucket=self._settings.media_bucket,
                Key=original_key(media.id),
                CopySource={"Bucket": self._settings.uploads_bucket, "Key": media.key},
                CopySourceIfMatch=etag,
                MetadataDirective="REPLACE",
                ContentType=media.type,
                ContentDisposition=disposition(media.type),
                CacheControl=CACHE_CONTROL,
            )

    def forget(self, media: Media) -> None:
        """Take an upload away, of which all is decided; what stays all the same expires by itself."""
        with bounded():
            self._s3.delete_object(Bucket=self._settings.uploads_bucket, Key=media.key)

    def make_ready(self, media: Media, *, with_thumbnail: bool) -> bool:
        """Let media be fetched; return False, having changed nothing, when it was decided before."""
        if with_thumbnail:
            return self._decide(media, "ready", "thumbnail", thumbnail_key(media.id))
        return self._decide(media, "ready")

    def reject(self, media: Media, reason: Reason) -> bool:
        """Let media never be fetched; return False, having changed nothing, when it was decided before."""
        return self._decide(media, "rejected", "reason", reason)

    def _decide(self, media: Media, state: str, attribute: str = "", value: str = "") -> bool:
        from botocore.exceptions import ClientError

        more = {":value": {"S": value}} if attribute else {}
        try:
            with bounded():
                self._dynamodb.update_item(
                    TableName=self._settings.media_table,
                    Key={"media": {"S": media.id}},
                    UpdateExpression="SET #state = :state" + (f", {attribute} = :value" if attribute else ""),
                    ConditionExpression=IF_CHECKING,
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues={
                        ":state": {"S": state},
                        ":checking": {"S": "checking"},
                        **more,
                    },
                )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", _client("dynamodb"))

    @cached_property
    def _s3(self) -> Any:
        return _client("s3", CONNECT_S, READ_S)

    @cached_property
    def _copying(self) -> Any:
        return _client("s3", CONNECT_S, COPY_S)


def _expired() -> AbstractContextManager[None]:
    return instead_of("NoSuchKey", Expired())
