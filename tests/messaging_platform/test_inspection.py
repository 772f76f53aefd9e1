"""The inspection against an AWS in the process: what is published, what never, and what a repeat may do."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import hypothesis
import pytest
from botocore.exceptions import ClientError
from hypothesis import strategies as st

from lambdas.messaging_platform.media.records import Media
from services.messaging_platform.inspection import logic, program, store, thumbnails
from services.messaging_platform.inspection.inspection import Inspection, Undecided
from services.messaging_platform.inspection.logic import Unreadable
from services.messaging_platform.inspection.program import Program
from services.messaging_platform.inspection.scan import EicarScanner
from services.messaging_platform.inspection.store import Message
from services.messaging_platform.telemetry import Metrics, logger_of
from tests.messaging_platform.media_fixtures import Ground, ground, image, media_aws

pytestmark = pytest.mark.fast
__all__ = ["ground", "media_aws"]  # fixtures

BOUND_S = 10.0
# In two pieces, or scanners would find this file.
INFECTED = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*").encode()
STREAM = "application/octet-stream"


class Inspected:
    """One inspection on the test's AWS."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.store = store.Store(ground.inspect)
        self.out = io.StringIO()
        self.inspection = Inspection(
            self.store,
            EicarScanner(),
            logger_of("inspection"),
            Metrics("inspection", self.out),
            bucket=ground.inspect.uploads_bucket,
        )

    def handle(self, media: Media, **changed: Any) -> None:
        self.inspection.handle(self.ground.notice(media, **changed))

    def verdict(self, media: Media) -> tuple[str, str | None]:
        item = self.ground.item(media.id)
        return item["state"]["S"], item.get("reason", {}).get("S")

    def published(self, media: Media) -> list[str]:
        found = self.ground.keys(self.ground.inspect.media_bucket)
        return [key.split("/")[1] for key in found if key.startswith(media.id)]


@pytest.fixture
def inspected(ground: Ground) -> Inspected:
    return Inspected(ground)


# What is sound


@pytest.mark.parametrize(
    ("format_", "type_"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
)
def test_a_sound_image_is_published_with_a_thumbnail(
    format_: str, type_: str, inspected: Inspected, ground: Ground
) -> None:
    from PIL import Image

    data = image(format_)
    media = ground.checking(data, type_)
    inspected.handle(media)
    assert inspected.verdict(media) == ("ready", None)
    assert ground.item(media.id)["thumbnail"]["S"] == f"{media.id}/thumbnail"
    bucket = ground.inspect.media_bucket
    assert ground.object(bucket, media.key) == data
    small = ground.object(bucket, f"{media.id}/thumbnail")
    assert small is not None
    with Image.open(io.BytesIO(small)) as made:
        assert (made.format, made.size) == ("JPEG", (320, 240))


def test_what_is_published_tells_browsers_what_it_is_and_how_long_to_keep_it(
    inspected: Inspected, ground: Ground
) -> None:
    for data, type_, shown in ((image(), "image/png", "inline"), (b"MZ", STREAM, "attachment")):
        media = ground.checking(data, type_)
        inspected.handle(media)
        head = ground.s3.head_object(Bucket=ground.inspect.media_bucket, Key=media.key)
        assert (head["ContentType"], head["ContentDisposition"]) == (type_, shown)
        assert head["CacheControl"] == "private, max-age=31536000, immutable"


def test_what_is_no_image_has_no_thumbnail_and_what_cannot_be_decoded_neither(
    inspected: Inspected, ground: Ground
) -> None:
    broken = image()[:100]
    for data, type_ in (
        (b"%PDF-1.7", "application/pdf"),
        (b"OggS\0 sound", "audio/ogg"),
        (broken, "image/png"),
    ):
        media = ground.checking(data, type_)
        inspected.handle(media)
        assert inspected.verdict(media) == ("ready", None)
        assert "thumbnail" not in ground.item(media.id)
        assert inspected.published(media) == ["original"]


# What is not


@pytest.mark.parametrize(
    ("reason", "data", "type_", "changed"),
    [
        ("size", b"abc", STREAM, {"size": 2}),
        ("size", b"abc", STREAM, {"size": 4}),
        ("checksum", b"abc", STREAM, {"sha256": "0" * 64}),
        ("type", b"MZ this is no picture", "image/png", {}),
        ("type", b"<html><script>", "application/pdf", {}),
        ("infected", INFECTED, STREAM, {}),
        ("infected", b"before" + INFECTED + b"after", STREAM, {}),
    ],
)
def test_what_is_not_what_was_declared_or_is_infected_is_published_nowhere(
    reason: str, data: bytes, type_: str, changed: dict[str, Any], inspected: Inspected, ground: Ground
) -> None:
    media = ground.checking(data, type_, **changed)
    inspected.handle(media)
    assert inspected.verdict(media) == ("rejected", reason)
    assert inspected.published(media) == []


def test_of_more_than_was_declared_no_more_is_read() -> None:
    media = Media("0" * 32, "ann", "c", "u", 3, STREAM, "0" * 64, 0)

    def pieces() -> Iterator[bytes]:
        yield b"1234"
        raise AssertionError("read on")

    assert logic.examine(media, pieces(), EicarScanner().begin("key")).reason == "size"


def test_a_small_file_of_too_many_pixels_is_rejected_before_it_is_decoded(
    inspected: Inspected, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = image("PNG", (12_000, 8_000), "1")  # 96 million, in a file of 28 KB: Pillow itself warns of it
    assert len(bomb) < 30_000
    media = ground.checking(bomb, "image/png")
    inspected.handle(media)
    assert inspected.verdict(media) == ("rejected", "pixels")
    monkeypatch.setattr(thumbnails, "MOST_PIXELS", 640 * 480 - 1)
    media = ground.checking(image(), "image/png")
    inspected.handle(media)
    assert inspected.verdict(media) == ("rejected", "pixels")
    assert ground.keys(ground.inspect.media_bucket) == []


def test_an_upload_that_expired_while_it_waited_is_rejected(inspected: Inspected, ground: Ground) -> None:
    media = ground.checking(b"abc", STREAM)
    ground.s3.delete_object(Bucket=ground.inspect.uploads_bucket, Key=media.key)
    inspected.handle(media)
    assert inspected.verdict(media) == ("rejected", "expired")


def test_only_what_was_looked_at_is_published(
    inspected: Inspected, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = ground.checking(b"harmless", STREAM)
    publish = inspected.store.publish

    def changed_meanwhile(*args: Any) -> None:
        ground.s3.put_object(Bucket=ground.inspect.uploads_bucket, Key=media.key, Body=INFECTED)
        publish(*args)

    monkeypatch.setattr(inspected.store, "publish", changed_meanwhile)
    copying = inspected.store._copying.meta.events
    copying.register_first("before-send.s3.CopyObject", conditional := _conditional(ground, media))
    try:
        with pytest.raises(Exception, match="PreconditionFailed"):
            inspected.handle(media)
    finally:
        copying.unregister("before-send.s3.CopyObject", conditional)
    assert inspected.published(media) == []
    assert inspected.verdict(media) == ("checking", None)


def _conditional(ground: Ground, media: Media) -> Callable[..., None]:
    """S3's condition on the source of a copy, which moto does not know."""

    def check(request: Any, **_: Any) -> None:
        now = ground.s3.head_object(Bucket=ground.inspect.uploads_bucket, Key=media.key)["ETag"]
        asked = request.headers.get("x-amz-copy-source-if-match", now.encode())
        if asked.decode() != now:
            refusal: Any = {
                "Error": {"Code": "PreconditionFailed"},
                "ResponseMetadata": {"HTTPStatusCode": 412},
            }
            raise ClientError(refusal, "CopyObject")

    return check


@hypothesis.given(
    before=st.binary(max_size=40),
    after=st.binary(max_size=40),
    cuts=st.lists(st.integers(0, 150), max_size=6),
)
def test_the_scanner_finds_its_file_wherever_the_pieces_are_cut(
    before: bytes, after: bytes, cuts: list[int]
) -> None:
    data = before + INFECTED + after
    places = [0, *sorted(cuts), len(data)]
    scan, clean = EicarScanner().begin("key"), EicarScanner().begin("key")
    for begin, end in pairwise(places):
        scan.feed(data[begin:end])
        clean.feed(data.replace(INFECTED, INFECTED.replace(b"EICAR", b"EICAS"))[begin:end])
    assert scan.finding() == "EICAR-Test-File"
    assert clean.finding() is None


@hypothesis.given(data=st.binary(min_size=1, max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_whatever_the_pieces_are_what_was_declared_is_found_sound(data: bytes, cuts: list[int]) -> None:
    import hashlib

    type_ = "image/png"
    data = b"\x89PNG\r\n\x1a\n" + data
    media = Media("0" * 32, "ann", "c", "u", len(data), type_, hashlib.sha256(data).hexdigest(), 0)
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[begin:end] for begin, end in pairwise(places)]
    findings = logic.examine(media, pieces, EicarScanner().begin("key"))
    assert (findings.reason, findings.image) == (None, data)


# Thumbnails


def test_a_thumbnail_is_turned_as_its_exif_says_and_carries_nothing_of_it() -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010F] = "a camera that tells"
    made = thumbnails.make("image/jpeg", image("JPEG", (640, 320), exif=exif, comment=b"from home"))
    assert made is not None
    assert b"camera" not in made
    assert b"home" not in made
    with Image.open(io.BytesIO(made)) as small:
        assert small.size == (160, 320)
        assert not small.getexif()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_any_kind_of_png_has_a_thumbnail_and_small_ones_stay_as_they_are(mode: str) -> None:
    from PIL import Image

    made = thumbnails.make("image/png", image("PNG", (40, 30), mode))
    assert made is not None
    with Image.open(io.BytesIO(made)) as small:
        assert (small.size, small.mode) == ((40, 30), "RGB")


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(st.data())
def test_no_broken_image_breaks_the_inspection(data: st.DataObject) -> None:
    format_, type_ = data.draw(
        st.sampled_from(
            [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/gif"), ("WEBP", "image/webp")]
        )
    )
    whole = bytearray(image(format_, (64, 48)))
    for place in data.draw(st.lists(st.integers(8, len(whole) - 1), max_size=5)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        made = thumbnails.make(type_, bytes(whole[: data.draw(st.integers(8, len(whole)))]))
    except thumbnails.TooManyPixels:
        return
    assert made is None or made.startswith(b"\xff\xd8")


# Again, and crashes


def test_a_repeat_changes_nothing(inspected: Inspected, ground: Ground) -> None:
    media = ground.checking(image(), "image/png")
    inspected.handle(media)
    once = ground.item(media.id)
    bucket = ground.inspect.media_bucket
    ground.s3.delete_object(Bucket=bucket, Key=media.key)  # as a lifecycle might
    inspected.handle(media)
    assert ground.item(media.id) == once
    assert inspected.published(media) == ["thumbnail"], "and nothing is published again"


def test_what_was_decided_leaves_the_bucket_of_uploads(inspected: Inspected, ground: Ground) -> None:
    for type_ in (STREAM, "image/png"):
        inspected.handle(ground.checking(b"abc", type_))
    assert ground.keys(ground.inspect.uploads_bucket) == []


@pytest.mark.parametrize("killed_in", ["publish", "make_ready", "forget"])
def test_killed_anywhere_it_is_done_by_whoever_gets_the_message_next(
    killed_in: str, inspected: Inspected, ground: Ground
) -> None:
    media = ground.checking(image(), "image/png")
    with pytest.MonkeyPatch.context() as patch:

        def killed(*args: Any, **more: Any) -> None:
            raise SystemExit

        patch.setattr(inspected.store, killed_in, killed)
        with pytest.raises(SystemExit):
            inspected.handle(media)
    assert inspected.verdict(media)[0] == ("ready" if killed_in == "forget" else "checking")
    inspected.handle(media)
    assert inspected.verdict(media) == ("ready", None)
    assert sorted(inspected.published(media)) == ["original", "thumbnail"]


def test_of_two_that_inspect_at_once_the_first_decides(inspected: Inspected, ground: Ground) -> None:
    media = ground.checking(b"abc", STREAM)
    found = inspected.store.find(media.id)
    assert found is not None
    assert inspected.store.make_ready(found, with_thumbnail=False)
    assert not inspected.store.reject(found, "expired")
    assert inspected.verdict(media) == ("ready", None)


def test_without_its_condition_a_later_verdict_overturns_the_first(
    inspected: Inspected, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "IF_CHECKING", "#state = :checking OR attribute_exists(media)")
    with pytest.raises(AssertionError):
        test_of_two_that_inspect_at_once_the_first_decides(inspected, ground)


def test_what_is_not_complete_yet_comes_again(inspected: Inspected, ground: Ground) -> None:
    media = ground.checking(b"abc", STREAM, state="uploading")
    with pytest.raises(Undecided):
        inspected.handle(media)
    assert inspected.verdict(media) == ("uploading", None)


# Messages


def test_the_message_that_s3_tests_a_queue_with_is_about_nothing(inspected: Inspected) -> None:
    inspected.inspection.handle(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}))


def test_keys_come_url_encoded(inspected: Inspected, ground: Ground) -> None:
    media = ground.checking(b"abc", STREAM)
    inspected.handle(media, key=media.key.replace("/", "%2F"))
    assert inspected.verdict(media) == ("ready", None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        '{"Records": [{}]}',
        '{"Records": 1}',
        '{"Records": [{"s3": []}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_notification_is_unreadable(body: str, inspected: Inspected) -> None:
    with pytest.raises(Unreadable):
        inspected.inspection.handle(body)


@pytest.mark.parametrize(
    "changed",
    [{"bucket": "another"}, {"key": "no-id/original"}, {"key": "0" * 32}, {"key": "0" * 32 + "/original"}],
)
def test_an_object_that_nobody_began_is_unreadable(
    changed: dict[str, Any], inspected: Inspected, ground: Ground
) -> None:
    media = ground.checking(b"abc", STREAM)
    with pytest.raises(Unreadable):
        inspected.handle(media, **changed)
    assert inspected.verdict(media) == ("checking", None)


# The loop


class FakeQueue:
    """A queue that is what a test says: it gives out `waiting`, and notes what is done with that."""

    def __init__(self, waiting: Sequence[Message] = (), empty: Callable[[], None] = lambda: None) -> None:
        self._waiting = list(waiting)
        self._empty = empty
        self._lock = threading.Lock()
        self.deleted: list[Message] = []
        self.hidden: list[tuple[Message, int]] = []

    def receive(self, hidden_s: int) -> Message | None:
        assert hidden_s == program.HIDDEN_S
        with self._lock:
            if self._waiting:
                return self._waiting.pop(0)
        self._empty()
        return None

    def hide(self, message: Message, seconds: int) -> None:
        self.hidden.append((message, seconds))

    def delete(self, message: Message) -> None:
        self.deleted.append(message)


def loop(
    queue: Any, handle: Callable[[str], None], stopping: threading.Event | None = None, **more: Any
) -> Program:
    metrics = Metrics("inspection", io.StringIO())
    return Program(queue, handle, logger_of("inspection"), metrics, stopping or threading.Event(), **more)


def a_message(receives: int = 1, body: str = "a body") -> Message:
    return Message(body, uuid.uuid4().hex, receives)


def run_until_empty(queue: FakeQueue, handle: Callable[[str], None], **more: Any) -> Program:
    stopping = threading.Event()
    made = loop(queue, handle, stopping, at_once=1, **more)
    queue._empty = stopping.set
    made.run()
    return made


def test_a_message_is_deleted_when_all_is_done() -> None:
    message = a_message()
    handled: list[str] = []
    queue = FakeQueue([message])
    run_until_empty(queue, handled.append)
    assert handled == ["a body"]
    assert (queue.deleted, queue.hidden) == ([message], [])


@pytest.mark.parametrize("failure", [Unreadable("why"), Undecided("why"), ConnectionError("why"), KeyError()])
def test_a_message_that_fails_stays_and_comes_later_each_time(failure: Exception) -> None:
    def fail(_: str) -> None:
        raise failure

    messages = [a_message(receives) for receives in (1, 2, 3, 4, 90)]
    queue = FakeQueue(messages)
    run_until_empty(queue, fail)
    assert queue.deleted == []
    assert [seconds for _, seconds in queue.hidden] == [15, 60, 240, 900, 900]


def test_a_message_is_kept_from_others_for_as_long_as_it_takes() -> None:
    message = a_message()
    queue = FakeQueue([message])
    twice = threading.Event()

    def hide(each: Message, seconds: int) -> None:
        queue.hidden.append((each, seconds))
        if len(queue.hidden) == 2:
            twice.set()

    def take_long(_: str) -> None:
        assert twice.wait(BOUND_S)

    queue.hide = hide  # type: ignore[assignment, method-assign]
    run_until_empty(queue, take_long, hide_again_s=0.01)
    assert queue.deleted == [message]
    assert set(queue.hidden) == {(message, program.HIDDEN_S)}
    assert program.HIDDEN_S >= 3 * program.HIDE_AGAIN_S, "one extension may fail"


def test_told_to_end_it_finishes_what_it_has_and_takes_nothing_more() -> None:
    messages = [a_message(), a_message()]
    queue = FakeQueue(messages)
    begun, go_on = threading.Event(), threading.Event()

    def work(_: str) -> None:
        begun.set()
        assert go_on.wait(BOUND_S)

    stopping = threading.Event()
    running = threading.Thread(target=loop(queue, work, stopping, at_once=1).run)
    running.start()
    assert begun.wait(BOUND_S)
    stopping.set()
    go_on.set()
    running.join(BOUND_S)
    assert not running.is_alive()
    assert queue.deleted == messages[:1]
    assert queue._waiting == messages[1:]


def test_what_comes_with_the_last_answer_goes_back_at_once() -> None:
    message = a_message()
    handled: list[str] = []
    queue, stopping = FakeQueue(), threading.Event()

    def receive(_: int) -> Message:
        stopping.set()
        return message

    queue.receive = receive  # type: ignore[assignment, method-assign]
    loop(queue, handled.append, stopping, at_once=1).run()
    assert (handled, queue.deleted, queue.hidden) == ([], [], [(message, 0)])


def test_it_is_ready_while_the_queue_answers() -> None:
    now = [100.0]
    made = run_until_empty(FakeQueue([a_message()]), lambda _: None, clock=lambda: now[0])
    assert made.is_ready()
    now[0] += program.READY_WITHIN_S + 1
    assert not made.is_ready()
    assert not loop(FakeQueue(), lambda _: None).is_ready()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_ends_the_program_for_kubernetes_to_start_it_again() -> None:
    def die() -> None:
        raise SystemExit

    made = loop(FakeQueue(empty=die), lambda _: None)
    with pytest.raises(program.ThreadDied):
        made.run()


def test_threads_that_end_as_they_were_told_while_they_are_looked_at_have_not_died() -> None:
    class ToldAsItIsAsked(threading.Event):
        """Set just after somebody has waited for it in vain, and before they look at the threads."""

        def wait(self, timeout: float | None = None) -> bool:
            if self.is_set():
                return True
            self.set()
            for thread in made._threads:
                thread.join(BOUND_S)
            return False

    made = loop(FakeQueue(), lambda _: None, ToldAsItIsAsked())
    made.run()


def test_poison_goes_to_the_dead_letters_by_the_queues_own_policy(
    ground: Ground, inspected: Inspected, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = uuid.uuid4().hex[:8]
    dead = ground.sqs.create_queue(QueueName=f"dead-{run}")["QueueUrl"]
    arn = ground.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    url = ground.inspect.uploads_queue_url
    ground.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive})
    monkeypatch.setattr(store, "WAIT_S", 0)
    monkeypatch.setattr(program, "pause_s", lambda receives: 0)
    media = ground.checking(b"abc", STREAM)
    for body in ("poison", ground.notice(media)):
        ground.sqs.send_message(QueueUrl=url, MessageBody=body)
    stopping = threading.Event()
    made = loop(store.Queue(url), inspected.inspection.handle, stopping, at_once=1)
    running = threading.Thread(target=made.run)
    running.start()
    found: list[Any] = []
    give_up_at = time.monotonic() + BOUND_S
    while time.monotonic() < give_up_at:
        found += ground.sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=0).get("Messages", [])
        if found and inspected.verdict(media)[0] == "ready":
            break
        running.join(0.05)  # polled without a pause, the program's thread is hardly ever run
    stopping.set()
    running.join(BOUND_S)
    assert [each["Body"] for each in found] == ["poison"]
    assert inspected.verdict(media) == ("ready", None)
    left = ground.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")
