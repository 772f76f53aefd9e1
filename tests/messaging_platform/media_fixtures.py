"""An AWS in the process for media: two buckets, two tables, a queue, a secret with a key; and the API over it.

A test module takes what it needs by importing the fixtures' names.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

import pytest
from botocore.session import get_session
from moto import mock_aws

from lambdas.messaging_platform import keys
from lambdas.messaging_platform.media import api as media_api
from lambdas.messaging_platform.media import store as media_store
from lambdas.messaging_platform.media.records import Media, original_key
from lambdas.messaging_platform.settings import InspectSettings, MediaSettings
from tests.messaging_platform.town import Answer, ask, shared_client

CHAT = "g-" + "0" * 32
OTHER_CHAT = "g-" + "1" * 32
EDGE = "d111111abcdef8.cloudfront.net"
KEY_PAIR = "K2JCJMDEHXQW5F"
REGION = "eu-central-1"


@cache
def private_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return generate_private_key(public_exponent=65537, key_size=2048)


def private_pem() -> str:
    from cryptography.hazmat.primitives import serialization

    return str(
        private_key()
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


@dataclass
class Ground:
    """The AWS of one test, by the SDK itself."""

    settings: MediaSettings
    inspect: InspectSettings
    dynamodb: Any
    s3: Any
    sqs: Any

    def join(self, user: str, chat: str = CHAT, *, since: int = 1, until: int | None = None) -> None:
        item = {"chat": {"S": chat}, "entry": {"S": keys.member(user)}, "since": {"N": str(since)}}
        if until is not None:
            item["until"] = {"N": str(until)}
        self.dynamodb.put_item(TableName=self.settings.chats_table, Item=item)

    def head(self, seq: int, chat: str = CHAT) -> None:
        item = {"chat": {"S": chat}, "entry": {"S": keys.HEAD}, "seq": {"N": str(seq)}}
        self.dynamodb.put_item(TableName=self.settings.chats_table, Item=item)

    def item(self, media: str) -> dict[str, Any]:
        found = self.dynamodb.get_item(TableName=self.settings.media_table, Key={"media": {"S": media}})
        return dict(found.get("Item", {}))

    def items(self) -> int:
        return int(self.dynamodb.scan(TableName=self.settings.media_table)["Count"])

    def set(self, media: str, **attributes: Any) -> None:
        """Give an item these attributes, as other services would."""
        item = self.item(media)
        for name, value in attributes.items():
            item[name] = {"N": str(value)} if isinstance(value, int) else {"S": value}
        self.dynamodb.put_item(TableName=self.settings.media_table, Item=item)

    def put_part(self, media: str, number: int, data: bytes) -> None:
        """What a client does with a part's address."""
        upload = self.item(media)["upload"]["S"]
        self.s3.upload_part(
            Bucket=self.settings.uploads_bucket,
            Key=original_key(media),
            UploadId=upload,
            PartNumber=number,
            Body=data,
            ContentMD5=base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
        )

    def open_uploads(self) -> int:
        found = self.s3.list_multipart_uploads(Bucket=self.settings.uploads_bucket)
        return len(found.get("Uploads", []))

    def uploaded(self, media: str) -> bytes | None:
        return self.object(self.settings.uploads_bucket, original_key(media))

    def object(self, bucket: str, key: str) -> bytes | None:
        if key not in self.keys(bucket):
            return None
        return bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def keys(self, bucket: str) -> list[str]:
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def checking(self, data: bytes, type_: str, **changed: Any) -> Media:
        """Media whose upload is complete, with its item and its object."""
        id = uuid.uuid4().hex
        sound: dict[str, Any] = {
            "size": len(data),
            "type": type_,
            "sha256": hashlib.sha256(data).hexdigest(),
            "created_at": 1_767_225_600_000,
            "state": "checking",
        }
        media = Media(id, "ann", CHAT, "an-upload", **(sound | changed))
        from lambdas.messaging_platform.media.records import as_item

        self.dynamodb.put_item(TableName=self.settings.media_table, Item=as_item(media))
        self.s3.put_object(Bucket=self.settings.uploads_bucket, Key=media.key, Body=data)
        return media

    def notice(self, media: Media, **changed: Any) -> str:
        """S3's message that the upload is complete."""
        told = {"bucket": self.settings.uploads_bucket, "key": media.key} | changed
        record = {
            "eventName": "ObjectCreated:CompleteMultipartUpload",
            "s3": {"bucket": {"name": told["bucket"]}, "object": {"key": told["key"], "size": media.size}},
        }
        return json.dumps({"Records": [record]})


@pytest.fixture(scope="module")
def media_aws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        # One client of each kind for all tests: reading the SDK's service models costs more than any test.
        patch.setattr(media_store, "_client", shared_client)
        patch.setattr(media_store, "s3_client", lru_cache(media_store.s3_client))
        from services.messaging_platform.inspection import store as inspection_store

        patch.setattr(inspection_store, "_client", shared_client)
        with mock_aws():
            yield


@pytest.fixture
def ground(media_aws: None, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """Fresh tables, buckets, queue and secret, named in the environment; ann and bob are members of `CHAT`."""
    run = uuid.uuid4().hex[:8]
    dynamodb: Any = media_store._client("dynamodb")
    sqs: Any = media_store._client("sqs")
    secrets: Any = media_store._client("secretsmanager")
    s3: Any = _plain_s3()
    _make_table(dynamodb, f"media-{run}", "media")
    _make_table(dynamodb, f"chats-{run}", "chat", "entry")
    for name in ("uploads", "published"):
        s3.create_bucket(Bucket=f"{name}-{run}", CreateBucketConfiguration={"LocationConstraint": REGION})
    secret = secrets.create_secret(
        Name=f"key-{run}", SecretString=json.dumps({"private_key": private_pem(), "public_key": ""})
    )
    settings = MediaSettings(
        media_table=f"media-{run}",
        chats_table=f"chats-{run}",
        uploads_bucket=f"uploads-{run}",
        edge_host=EDGE,
        key_pair_id=KEY_PAIR,
        private_key_secret_arn=secret["ARN"],
    )
    inspect = InspectSettings(
        media_table=f"media-{run}",
        uploads_queue_url=sqs.create_queue(QueueName=f"uploads-{run}")["QueueUrl"],
        uploads_bucket=f"uploads-{run}",
        media_bucket=f"published-{run}",
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    media_store.store.cache_clear()
    made = Ground(settings, inspect, dynamodb, s3, sqs)
    made.head(0)
    made.join("ann")
    made.join("bob")
    return made


@lru_cache(maxsize=1)
def _plain_s3() -> Any:
    return get_session().create_client("s3")


def _make_table(dynamodb: Any, name: str, *table_keys: str) -> None:
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(table_keys, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in table_keys],
    )


class Client:
    """The media API as its clients see it."""

    def begin(
        self, data: bytes, type_: str = "image/png", *, user: str | None = "ann", **changed: Any
    ) -> Answer:
        wanted = {
            "chat": CHAT,
            "size": len(data),
            "type": type_,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        return self.call("POST", "/media", user, body=wanted | changed)

    def parts(self, media: str, user: str | None = "ann", **query: Any) -> Answer:
        return self.call("GET", f"/media/{media}/parts", user, query=query)

    def complete(self, media: str, user: str | None = "ann") -> Answer:
        return self.call("POST", f"/media/{media}/complete", user, body={})

    def abort(self, media: str, user: str | None = "ann") -> Answer:
        return self.call("DELETE", f"/media/{media}", user)

    def get(self, media: str, user: str | None = "ann") -> Answer:
        return self.call("GET", f"/media/{media}", user)

    call = staticmethod(partial(ask, media_api.handler))


@pytest.fixture
def client(ground: Ground) -> Client:
    return Client()


def image(format_: str = "PNG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **save: Any) -> bytes:
    """A small image that Pillow makes."""
    from PIL import Image

    made = io.BytesIO()
    Image.new(mode, size, 200 if mode in ("L", "P", "1", "I;16") else "teal").save(made, format_, **save)
    return made.getvalue()
