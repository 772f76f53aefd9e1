"""The media API against an AWS in the process: what clients see, who sees nothing, and what must never happen."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lambdas.messaging_platform.media import logic, store
from lambdas.messaging_platform.media.records import Media
from lambdas.shared.errors import Conflict
from tests.messaging_platform.media_fixtures import (
    CHAT,
    EDGE,
    KEY_PAIR,
    OTHER_CHAT,
    Client,
    Ground,
    client,
    ground,
    media_aws,
    private_key,
)

pytestmark = pytest.mark.fast
__all__ = ["client", "ground", "media_aws"]  # fixtures

ANY_STATE = "#state <> :before0 OR #state IN ({})"  # a condition that guards nothing
PART = 8 * 1024 * 1024
TWO_PARTS = b"\x89PNG\r\n\x1a\n" + bytes(PART)


def begun(client: Client, data: bytes = TWO_PARTS, **more: Any) -> str:
    answer = client.begin(data, **more)
    assert answer.status == 201, answer.body
    return str(answer.json["media"])


def uploaded(client: Client, ground: Ground, data: bytes = TWO_PARTS) -> str:
    """Media whose parts are all there."""
    media = begun(client, data)
    for number in range(1, logic.part_count(len(data)) + 1):
        ground.put_part(media, number, data[(number - 1) * PART : number * PART])
    return media


def ready(client: Client, ground: Ground, **more: Any) -> str:
    media = begun(client)
    ground.set(media, state="ready", thumbnail=f"{media}/thumbnail", **more)
    return media


# Beginning


def test_an_upload_begins_with_the_addresses_of_its_parts(client: Client, ground: Ground) -> None:
    answer = client.begin(TWO_PARTS)
    assert answer.status == 201
    assert (answer.json["part_bytes"], answer.json["part_count"]) == (PART, 2)
    assert [(part["number"], part["size"]) for part in answer.json["parts"]] == [(1, PART), (2, 8)]
    item = ground.item(answer.json["media"])
    assert (item["owner"]["S"], item["chat"]["S"], item["state"]["S"]) == ("ann", CHAT, "uploading")


def test_an_address_is_for_one_part_of_one_size_in_the_buckets_own_region(
    client: Client, ground: Ground
) -> None:
    answer = client.begin(TWO_PARTS)
    url = urlsplit(answer.json["parts"][1]["url"])
    assert url.netloc == f"{ground.settings.uploads_bucket}.s3.eu-central-1.amazonaws.com"
    assert url.path == f"/{answer.json['media']}/original"
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert query["partNumber"] == "2"
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-SignedHeaders"] == "content-length;host"
    assert query["X-Amz-Expires"] == "3600"


def test_an_address_is_of_version_4_also_where_s3_still_takes_version_2(
    monkeypatch: pytest.MonkeyPatch, ground: Ground
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made: Any = store.s3_client.__wrapped__()  # type: ignore[attr-defined]  # the fixture put a cache around it
    parameters = {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 1, "ContentLength": 8}
    url = made.generate_presigned_url("upload_part", Params=parameters)
    assert "X-Amz-SignedHeaders=content-length%3Bhost" in url


def test_no_part_has_to_bring_a_header_that_its_address_does_not_sign(client: Client, ground: Ground) -> None:
    sent: list[Any] = []

    def note(request: Any, **_: Any) -> None:
        sent.append(request.headers)

    events = store.store()._s3.meta.events
    events.register("before-send.s3.CreateMultipartUpload", note)
    try:
        begun(client)
    finally:
        events.unregister("before-send.s3.CreateMultipartUpload", note)
    assert not [name for name in sent[0] if "checksum" in name.lower()]


@pytest.mark.parametrize(
    "changed",
    [
        {"size": 0},
        {"size": logic.LARGEST + 1, "type": "video/mp4"},
        {"size": logic.LARGEST_IMAGE + 1},
        {"size": "10"},
        {"size": 1.5},
        {"type": "text/html"},
        {"type": "image/svg+xml"},
        {"sha256": "A" * 64},
        {"sha256": "0" * 63},
        {"more": "than is asked"},
    ],
)
def test_what_may_not_be_sent_is_refused_before_anything_is_made(
    changed: dict[str, Any], client: Client, ground: Ground
) -> None:
    assert client.begin(TWO_PARTS, **changed).status == 422
    assert (ground.items(), ground.open_uploads()) == (0, 0)


def test_the_largest_is_taken(client: Client, ground: Ground) -> None:
    answer = client.begin(b"", "video/mp4", size=logic.LARGEST)
    assert answer.status == 201
    assert (answer.json["part_count"], len(answer.json["parts"])) == (256, 100)


@pytest.mark.parametrize("chat", [CHAT, OTHER_CHAT, "no chat", "g-" + "2" * 32])
def test_a_stranger_cannot_tell_a_chat_that_is_there_from_one_that_is_not(
    chat: str, client: Client, ground: Ground
) -> None:
    ground.head(5, OTHER_CHAT)
    answer = client.begin(TWO_PARTS, user="eve", chat=chat)
    assert answer.status == 404
    assert "there is no such chat" in answer.body
    assert (ground.items(), ground.open_uploads()) == (0, 0)


def test_who_was_removed_or_is_only_being_added_uploads_nothing(client: Client, ground: Ground) -> None:
    ground.head(9)
    ground.join("ann", until=9)
    assert client.begin(TWO_PARTS).status == 404
    ground.join("ann", since=11)
    assert client.begin(TWO_PARTS).status == 404
    ground.join("ann", since=10)
    assert client.begin(TWO_PARTS).status == 201


def test_without_a_token_nothing_is_done(client: Client, ground: Ground) -> None:
    media = begun(client)
    answers = [
        client.begin(TWO_PARTS, user=None),
        client.parts(media, None),
        client.complete(media, None),
        client.abort(media, None),
        client.get(media, None),
    ]
    assert {answer.status for answer in answers} == {401}


# Going on


def test_an_upload_that_was_cut_off_goes_on_from_what_s3_has(client: Client, ground: Ground) -> None:
    data = TWO_PARTS + bytes(PART)
    media = begun(client, data)
    ground.put_part(media, 2, data[PART : 2 * PART])
    page = client.parts(media).json
    etag = f'"{hashlib.md5(data[PART : 2 * PART], usedforsecurity=False).hexdigest()}"'
    assert page["arrived"] == [{"number": 2, "etag": etag, "size": PART}]
    assert [part["number"] for part in page["missing"]] == [1, 3]
    assert page["next"] is None


def test_many_parts_come_by_pages_without_gaps(client: Client, ground: Ground) -> None:
    media = str(client.begin(b"", "video/mp4", size=logic.LARGEST).json["media"])
    ground.put_part(media, 3, bytes(PART))
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = client.parts(media, after=after, limit=90).json
        seen += sorted([part["number"] for part in [*page["missing"], *page["arrived"]]])
        after = page["next"]
    assert seen == list(range(1, 257))


@pytest.mark.parametrize(
    "query", [{"after": 10_001}, {"after": 2**31}, {"after": -1}, {"limit": 0}, {"limit": 101}]
)
def test_a_page_that_s3_could_not_list_is_refused(
    query: dict[str, Any], client: Client, ground: Ground
) -> None:
    assert client.parts(begun(client), **query).status == 422


# Completing


def test_a_complete_upload_is_one_object_and_waits_for_its_inspection(client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    answer = client.complete(media)
    assert (answer.status, answer.json) == (200, {"media": media, "state": "checking"})
    assert ground.uploaded(media) == TWO_PARTS
    assert ground.item(media)["state"]["S"] == "checking"
    assert client.parts(media).status == 409


def test_completing_again_is_the_same_whatever_became_of_it(client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    first = client.complete(media)
    assert client.complete(media) == first
    for state in ("ready", "rejected"):
        ground.set(media, state=state, reason="type")
        assert client.complete(media) == first
        assert ground.item(media)["state"]["S"] == state


@pytest.mark.parametrize("fault", ["before S3", "after S3"])
def test_a_crash_while_completing_is_made_good_by_asking_again(
    fault: str, client: Client, ground: Ground
) -> None:
    media = uploaded(client, ground)
    whole = store.Store.complete_upload

    def crash(self: store.Store, *args: Any) -> None:
        if fault == "after S3":
            whole(self, *args)
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.Store, "complete_upload", crash)
        with pytest.raises(SystemExit):
            client.complete(media)
    assert client.complete(media).status == 200
    assert ground.uploaded(media) == TWO_PARTS


@pytest.mark.parametrize("number", [1, 2])
def test_an_upload_that_lacks_a_part_is_not_complete(number: int, client: Client, ground: Ground) -> None:
    media = begun(client)
    ground.put_part(media, 3 - number, TWO_PARTS[:PART] if number == 2 else TWO_PARTS[PART:])
    answer = client.complete(media)
    assert answer.status == 422
    assert f"number {number}" in answer.json["detail"]
    assert ground.uploaded(media) is None
    assert ground.item(media)["state"]["S"] == "uploading"


def test_parts_of_another_size_or_too_many_are_not_what_was_declared(client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    ground.put_part(media, 2, b"longer than said")
    assert client.complete(media).status == 422
    ground.put_part(media, 2, TWO_PARTS[PART:])
    ground.put_part(media, 3, b"more")
    assert client.complete(media).status == 422
    assert ground.item(media)["state"]["S"] == "uploading"


def test_a_part_that_is_put_again_meanwhile_is_a_conflict_and_then_completes(
    client: Client, ground: Ground
) -> None:
    media = uploaded(client, ground)
    found = store.store().find(media)
    assert found is not None
    old = store.store().arrived(found, 0, 10)
    ground.put_part(media, 2, b"12345678")
    with pytest.raises(Conflict):
        store.store().complete_upload(found, old)
    assert client.complete(media).status == 200
    assert ground.uploaded(media) == TWO_PARTS[:PART] + b"12345678"


# Giving up


def test_an_upload_that_is_given_up_leaves_nothing_in_s3_and_never_completes(
    client: Client, ground: Ground
) -> None:
    media = uploaded(client, ground)
    assert [client.abort(media).status for _ in range(2)] == [204, 204]
    assert ground.open_uploads() == 0
    assert client.complete(media).status == 410
    assert client.parts(media).status == 410
    assert client.get(media).json["reason"] == "aborted"


def test_a_complete_upload_is_not_given_up_any_more(client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    client.complete(media)
    assert client.abort(media).status == 409
    assert ground.item(media)["state"]["S"] == "checking"
    assert ground.uploaded(media) == TWO_PARTS


def test_an_upload_that_s3_has_ended_says_so(client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    upload = ground.item(media)["upload"]["S"]
    ground.s3.abort_multipart_upload(
        Bucket=ground.settings.uploads_bucket, Key=f"{media}/original", UploadId=upload
    )
    assert client.parts(media).status == 410
    assert client.complete(media).status == 410


def test_without_the_condition_on_the_state_an_upload_is_given_up_that_is_being_checked(
    client: Client, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IF_IN_STATE", ANY_STATE)
    with pytest.raises(AssertionError):
        test_a_complete_upload_is_not_given_up_any_more(client, ground)


def test_an_id_is_one_uploads_for_good(client: Client, ground: Ground) -> None:
    kept = store.store().find(begun(client))
    assert kept is not None
    store.store().add(kept)  # the SDK asks again where an answer was lost
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        store.store().add(Media(**(vars(kept) | {"upload": "another", "owner": "eve"})))
    assert ground.item(kept.id)["owner"]["S"] == "ann"


def test_without_the_condition_on_the_id_it_is_anothers(
    client: Client, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IF_NEW", "attribute_not_exists(there_is_no_such_attribute)")
    with pytest.raises(pytest.fail.Exception):
        test_an_id_is_one_uploads_for_good(client, ground)


# Others


ROUTES: dict[str, Callable[[Client, str, str], Any]] = {
    "parts": lambda client, media, user: client.parts(media, user),
    "complete": lambda client, media, user: client.complete(media, user),
    "abort": lambda client, media, user: client.abort(media, user),
    "get": lambda client, media, user: client.get(media, user),
}


@pytest.mark.parametrize("route", ROUTES)
def test_media_of_a_strangers_chat_looks_like_none(route: str, client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    ask = ROUTES[route]
    answers = {ask(client, each, "eve").body for each in (media, "0" * 32, "no-id", "A" * 32)}
    assert len(answers) == 1
    assert ask(client, media, "eve").status == 404
    assert ground.item(media)["state"]["S"] == "uploading"


@pytest.mark.parametrize("route", ["parts", "complete", "abort"])
def test_an_upload_is_its_owners_alone_also_among_members(route: str, client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    assert ROUTES[route](client, media, "bob").status == 404
    assert ground.item(media)["state"]["S"] == "uploading"


@pytest.mark.parametrize("route", ["parts", "complete", "abort"])
def test_an_owner_who_was_removed_does_nothing_more(route: str, client: Client, ground: Ground) -> None:
    media = uploaded(client, ground)
    ground.join("ann", until=0)
    assert ROUTES[route](client, media, "ann").status == 404
    assert ground.item(media)["state"]["S"] == "uploading"


# Looking


@pytest.mark.parametrize("state", ["uploading", "checking"])
def test_what_is_not_inspected_has_no_address(state: str, client: Client, ground: Ground) -> None:
    media = begun(client)
    ground.set(media, state=state)
    found = client.get(media, "bob").json
    assert found["state"] == state
    assert not {"url", "thumbnail_url"} & set(found)


def test_what_was_rejected_has_a_reason_and_no_address(client: Client, ground: Ground) -> None:
    media = begun(client)
    ground.set(media, state="rejected", reason="infected", thumbnail="x")
    found = client.get(media).json
    assert (found["state"], found["reason"]) == ("rejected", "infected")
    assert not {"url", "thumbnail_url"} & set(found)


def test_what_nobody_decided_in_days_will_not_be(client: Client, ground: Ground) -> None:
    media = begun(client)
    ground.set(media, state="checking", created_at=1_700_000_000_000)
    found = client.get(media).json
    assert (found["state"], found["reason"]) == ("rejected", "expired")


def test_a_member_gets_addresses_that_the_edge_opens_until_their_time(
    client: Client, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = ready(client, ground)
    monkeypatch.setattr("lambdas.messaging_platform.media.api.time.time", lambda: 1_800_000_000.9)
    found = client.get(media, "bob").json
    assert (found["state"], found["expires_in"]) == ("ready", 300)
    for name, what in (("url", "original"), ("thumbnail_url", "thumbnail")):
        bare, query = found[name].split("?")
        assert bare == f"https://{EDGE}/{media}/{what}"
        told = dict(pair.split("=", 1) for pair in query.split("&"))
        assert (told["Expires"], told["Key-Pair-Id"]) == ("1800000300", KEY_PAIR)
        assert opens(bare, told["Expires"], told["Signature"])
        assert not opens(bare, "1800000301", told["Signature"])
        assert not opens(bare.replace(media, "0" * 32), told["Expires"], told["Signature"])


def test_media_without_a_thumbnail_says_so(client: Client, ground: Ground) -> None:
    media = begun(client, type_="application/octet-stream")
    ground.set(media, state="ready")
    assert client.get(media).json["thumbnail_url"] is None


@pytest.mark.parametrize(
    ("since", "until", "status"),
    [(1, None, 200), (5, None, 200), (6, None, 404), (1, 5, 200), (1, 4, 404)],
)
def test_who_was_not_there_for_its_message_does_not_see_it(
    since: int, until: int | None, status: int, client: Client, ground: Ground
) -> None:
    media = ready(client, ground, first_seq=5, last_seq=5, carried=1)
    ground.head(9)
    ground.join("bob", since=since, until=until)
    assert client.get(media, "bob").status == status


def test_the_key_is_read_once_for_the_life_of_the_process(client: Client, ground: Ground) -> None:
    media = ready(client, ground)
    asked: list[str] = []
    secrets: Any = store._client("secretsmanager")
    event = "before-send.secretsmanager.GetSecretValue"

    def note(**_: Any) -> None:
        asked.append("asked")

    secrets.meta.events.register(event, note)
    try:
        for _ in range(3):
            assert client.get(media).status == 200
    finally:
        secrets.meta.events.unregister(event, note)
    assert asked == ["asked"]


def opens(url: str, expires: str, signature: str) -> bool:
    """Whether CloudFront would take this signature: RSA, SHA-1, over the canned policy."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1

    raw = base64.b64decode(signature.translate(str.maketrans("-_~", "+=/")))
    policy = f'{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}'
    try:
        private_key().public_key().verify(raw, policy.encode(), PKCS1v15(), SHA1())
    except InvalidSignature:
        return False
    return True
