"""What the media service decides, without an AWS: how uploads are cut, who sees what, and what is signed."""

from __future__ import annotations

from urllib.parse import urlsplit

import hypothesis
import pytest
from botocore.signers import CloudFrontSigner
from hypothesis import strategies as st

from lambdas.messaging_platform.media import kinds, logic
from lambdas.messaging_platform.media.records import Media, Membership, as_item, from_item

pytestmark = pytest.mark.fast

MIB = 1024 * 1024
LARGEST_OBJECT = 5 * 1024**4  # of S3
LEAST_PART, LARGEST_PART = 5 * MIB, 5 * 1024**3  # of S3
MEDIA = Media("0" * 32, "ann", "g-" + "0" * 32, "an-upload", 10, "image/png", "0" * 64, 0)


class TestParts:
    @hypothesis.given(st.integers(1, LARGEST_OBJECT))
    def test_any_size_is_cut_into_parts_that_s3_takes(self, size: int) -> None:
        each, parts = logic.part_bytes(size), logic.part_count(size)
        assert 1 <= parts <= 10_000
        assert LEAST_PART <= each <= LARGEST_PART
        assert each % MIB == 0

    @hypothesis.given(st.integers(1, 40 * 8 * MIB))
    def test_the_parts_are_all_of_it_and_only_the_last_is_smaller(self, size: int) -> None:
        sizes = [logic.part_size(size, number) for number in range(1, logic.part_count(size) + 1)]
        assert sum(sizes) == size
        assert set(sizes[:-1]) <= {logic.part_bytes(size)}
        assert 1 <= sizes[-1] <= logic.part_bytes(size)

    @pytest.mark.parametrize(
        ("size", "part", "parts"),
        [
            (1, 8 * MIB, 1),
            (8 * MIB, 8 * MIB, 1),
            (8 * MIB + 1, 8 * MIB, 2),
            (logic.LARGEST, 8 * MIB, 256),
            (8 * MIB * 10_000, 8 * MIB, 10_000),
            (8 * MIB * 10_000 + 1, 9 * MIB, 8_889),
        ],
    )
    def test_parts_are_of_8_mib_until_there_would_be_too_many(self, size: int, part: int, parts: int) -> None:
        assert (logic.part_bytes(size), logic.part_count(size)) == (part, parts)


class TestWhoSees:
    @hypothesis.given(
        sent=st.lists(st.integers(1, 20), min_size=1, max_size=1),
        since=st.integers(1, 21),
        until=st.none() | st.integers(0, 20),
    )
    def test_who_may_read_its_message_sees_it_and_nobody_else(
        self, sent: list[int], since: int, until: int | None
    ) -> None:
        media = Media(**(vars(MEDIA) | {"first_seq": sent[0], "last_seq": sent[0], "carried": 1}))
        readable = {seq for seq in range(1, 21) if since <= seq and (until is None or seq <= until)}
        assert logic._may_see(media, Membership(since, until, 20)) is bool(readable & set(sent))

    def test_sent_again_it_is_seen_by_those_who_came_in_between(self) -> None:
        media = Media(**(vars(MEDIA) | {"first_seq": 3, "last_seq": 9, "carried": 2}))
        assert logic._may_see(media, Membership(since=5, until=None, head=9))
        assert logic._may_see(media, Membership(since=1, until=4, head=9))
        assert not logic._may_see(media, Membership(since=10, until=None, head=9))
        assert not logic._may_see(media, Membership(since=5, until=8, head=9)), "neither was theirs to see"

    def test_who_came_back_sees_what_was_sent_in_the_time_before(self) -> None:
        media = Media(**(vars(MEDIA) | {"first_seq": 3, "last_seq": 3, "carried": 1}))
        assert logic._may_see(media, Membership(since=9, until=None, head=9, earlier=((2, 5),)))
        assert not logic._may_see(media, Membership(since=9, until=None, head=9, earlier=((4, 5),)))

    def test_what_only_deleted_messages_carried_is_seen_by_nobody(self) -> None:
        everybody = Membership(since=1, until=None, head=9)
        for carried, seen in ((2, True), (1, True), (0, False)):
            media = Media(**(vars(MEDIA) | {"first_seq": 3, "last_seq": 9, "carried": carried}))
            assert logic._may_see(media, everybody) is seen

    def test_of_what_no_message_is_known_to_carry_only_present_members_know(self) -> None:
        assert logic._may_see(MEDIA, Membership(since=5, until=None, head=9))
        assert not logic._may_see(MEDIA, Membership(since=1, until=9, head=9))
        assert not logic._may_see(MEDIA, Membership(since=11, until=None, head=9)), "still being added"
        assert not logic._may_see(MEDIA, None)


class TestSignatures:
    def test_a_url_is_what_the_sdk_itself_signs(self) -> None:
        def sign(text: bytes) -> bytes:
            return bytes(range(256)) + text  # all that base64 can give

        url = "https://d111111abcdef8.cloudfront.net/0123/original"
        made = logic.signed_url(url, 1_800_000_000, "K2JCJMDEHXQW5F", sign)
        signer = CloudFrontSigner("K2JCJMDEHXQW5F", sign)
        policy = signer.build_policy(url, _at(1_800_000_000)).encode()
        assert logic.canned_policy(url, 1_800_000_000) == policy
        assert made == signer.generate_presigned_url(url, date_less_than=_at(1_800_000_000))
        assert not set("+=/") & set(urlsplit(made).query.split("Signature=")[1].split("&")[0])


class TestKinds:
    @pytest.mark.parametrize(
        ("type_", "head"),
        [
            ("image/jpeg", b"\xff\xd8\xff\xe0"),
            ("image/png", b"\x89PNG\r\n\x1a\n"),
            ("image/gif", b"GIF87a"),
            ("image/gif", b"GIF89a"),
            ("image/webp", b"RIFF\x10\0\0\0WEBPVP8 "),
            ("video/mp4", b"\0\0\0\x18ftypmp42"),
            ("audio/mp4", b"\0\0\0\x18ftypM4A "),
            ("audio/ogg", b"OggS\0\x02"),
            ("audio/opus", b"OggS\0\x02" + b"\0" * 22 + b"OpusHead"),
            ("application/pdf", b"%PDF-1.7"),
            ("application/octet-stream", b"MZ"),
        ],
    )
    def test_a_file_agrees_with_its_own_type_and_no_other_but_the_general_one(
        self, type_: str, head: bytes
    ) -> None:
        assert kinds.agrees(type_, head)
        kin = {"video/mp4": {"audio/mp4"}, "audio/mp4": {"video/mp4"}, "audio/opus": {"audio/ogg"}}
        others = set(kinds.KINDS) - {type_, "application/octet-stream"} - kin.get(type_, set())
        assert not [other for other in others if kinds.agrees(other, head)]

    @pytest.mark.parametrize("type_", set(kinds.KINDS) - {"application/octet-stream"})
    def test_a_file_that_ends_too_soon_agrees_with_nothing(self, type_: str) -> None:
        assert not kinds.agrees(type_, b"")
        assert not kinds.agrees("text/html", b"<html>")

    def test_what_can_hold_programs_is_never_shown_in_place(self) -> None:
        assert kinds.disposition("application/pdf") == "attachment"
        assert kinds.disposition("application/octet-stream") == "attachment"
        assert kinds.disposition("image/png") == "inline"


def test_an_item_is_read_as_it_was_written() -> None:
    assert from_item(as_item(MEDIA)) == MEDIA
    told = {"reason": {"S": "type"}, "thumbnail": {"S": "t"}, "first_seq": {"N": "3"}, "last_seq": {"N": "4"}}
    told["carried"] = {"N": "2"}
    read = from_item(as_item(MEDIA) | told)
    assert (read.reason, read.thumbnail, read.first_seq, read.last_seq, read.carried) == (
        "type",
        "t",
        3,
        4,
        2,
    )


def _at(seconds: int):  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC)
