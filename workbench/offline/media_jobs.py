"""MediaConvert jobs as they run: the input is read from S3, ffmpeg makes the outputs, EventBridge is told.

S3 is reached under the job's role, through the same API as everybody's, so that its permissions count, decisions are
logged and faults strike. At most `AT_ONCE` jobs run; the others wait in their queues.

Sources: the MediaConvert User Guide, "List of MediaConvert EventBridge events" and the pages that it names, "Error
codes", "Output file names and paths". Not sent: INPUT_INFORMATION, NEW_WARNING, QUEUE_HOP.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import string
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import eventbridge, iam

from workbench.errors import Misuse
from workbench.offline.clients import client_as
from workbench.offline.engines import ffmpeg
from workbench.offline.identity import service_may_take, session_of
from workbench.offline.media_settings import (
    Address,
    Group,
    Output,
    Plan,
    Variant,
    codecs_of,
    multivariant_playlist,
    segments_of,
)
from workbench.offline.surroundings import surroundings

AT_ONCE = 2
SERVICE = "mediaconvert.amazonaws.com"
OVER = ("COMPLETE", "CANCELED", "ERROR")
PHASES = ("PROBING", "TRANSCODING", "UPLOADING")
_STARTS_AT = {"PROBING": 0, "TRANSCODING": 5, "UPLOADING": 90}  # percent of the whole job
_CHUNK = 1 << 20
_TYPES = {
    ".jpg": "image/jpeg",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mp4": "video/mp4",
    ".ts": "video/mp2t",
}
_log = logging.getLogger(__name__)


class JobFailed(Exception):
    """A job ends in ERROR: MediaConvert's code, and its words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class _Cancelled(Exception):
    """The job was cancelled while it ran."""


@dataclass(eq=False)
class Job:
    """A job: what was asked for, and how far it is. `interval` is the seconds between STATUS_UPDATE events."""

    account: str
    region: str
    queue: str  # its ARN
    role: str
    plan: Plan
    asked: Mapping[str, Any]  # what is answered as it was said: settings, userMetadata, priority and such
    interval: float
    id: str = field(default_factory=lambda: _new_id())
    status: str = "SUBMITTED"
    phase: str = "PROBING"
    phase_percent: float = 0.0
    error: tuple[int, str] | None = None
    details: list[dict[str, Any]] = field(
        default_factory=list
    )  # of each output group, as EventBridge has them
    submitted: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.run: ffmpeg.Run | None = None
        self._told = time.monotonic()

    @property
    def arn(self) -> str:
        return f"arn:aws:mediaconvert:{self.region}:{self.account}:jobs/{self.id}"

    @property
    def priority(self) -> int:
        return int(self.asked.get("priority") or 0)

    @property
    def percent(self) -> int:
        """Of the whole job."""
        if self.status == "COMPLETE":
            return 100
        start = _STARTS_AT[self.phase]
        end = next((at for at in _STARTS_AT.values() if at > start), 100)
        return round(start + (end - start) * self.phase_percent / 100)

    def as_answer(self) -> dict[str, Any]:
        """The job as the API shows it."""
        timing = {"submitTime": self.submitted, "startTime": self.started, "finishTime": self.finished}
        shown: dict[str, Any] = {
            **self.asked,
            "id": self.id,
            "arn": self.arn,
            "queue": self.queue,
            "role": self.role,
            "status": self.status,
            "createdAt": int(self.submitted),
            "retryCount": 0,
            "timing": {name: int(at) for name, at in timing.items() if at is not None},
            "messages": {"info": [], "warning": []},
        }
        if self.status in ("PROGRESSING", "COMPLETE"):
            shown |= {"currentPhase": self.phase, "jobPercentComplete": self.percent}
        if self.error is not None:
            shown |= {"errorCode": self.error[0], "errorMessage": self.error[1]}
        if self.details:
            kept = ("durationInMs", "videoDetails")
            shown["outputGroupDetails"] = [
                {"outputDetails": [{name: each[name] for name in kept if name in each} for each in group]}
                for group in (details["outputDetails"] for details in self.details)
            ]
        return shown

    def come_to(self, phase: str, percent: float = 0.0) -> None:
        """Note how far it is, and say so when it is time. Raises `_Cancelled`."""
        if self.status != "PROGRESSING":
            raise _Cancelled
        self.phase, self.phase_percent = phase, min(percent, 100.0)
        if time.monotonic() - self._told >= self.interval:
            self._told = time.monotonic()
            self.tell("STATUS_UPDATE", {"jobProgress": self._progress()})

    def _progress(self) -> dict[str, Any]:
        now = PHASES.index(self.phase)
        phases = {
            name: {
                "status": ("COMPLETE", "PROGRESSING", "PENDING")[(number >= now) + (number > now)],
                "percentComplete": 100 if number < now else round(self.phase_percent) if number == now else 0,
            }
            for number, name in enumerate(PHASES)
        }
        return {
            "phaseProgress": phases,
            "jobPercentComplete": self.percent,
            "currentPhase": self.phase,
            "retryCount": 0,
        }

    def change(self, status: str, error: tuple[int, str] | None = None, **detail: Any) -> bool:
        """Come into another status and tell it; False when the job is over already."""
        with self.lock:
            if self.status in OVER:
                return False
            self.status, self.error = status, error
            if status == "PROGRESSING":
                self.started = time.time()
            else:
                self.finished = time.time()
        self.tell(status, detail)
        return True

    def tell(self, status: str, detail: Mapping[str, Any]) -> None:
        """Send an event to EventBridge's default bus."""
        whole = {
            "timestamp": int(time.time() * 1000),
            "accountId": self.account,
            "queue": self.queue,
            "jobId": self.id,
            "status": status,
            "userMetadata": self.asked.get("userMetadata") or {},
            **detail,
        }
        entry = {
            "Source": "aws.mediaconvert",
            "DetailType": "MediaConvert Job State Change",
            "Detail": json.dumps(whole),
            "Resources": [self.arn],
        }
        with request_scope(self.account, self.region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


class Scheduler:
    """Which job runs next: of those in queues that are not paused the most urgent, of these the oldest."""

    def __init__(self, is_paused: Callable[[Job], bool]) -> None:
        self._is_paused = is_paused
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._running: set[Job] = set()

    def submit(self, job: Job) -> None:
        """Let the job run when its turn comes."""
        with self._lock:
            self._waiting.append(job)
        self.start_next()

    def start_next(self) -> None:
        """Start what may run now; to be called when a job ends or a queue is active again."""
        with self._lock:
            ready = [job for job in self._waiting if not self._is_paused(job)]
            for job in sorted(ready, key=lambda each: -each.priority)[: AT_ONCE - len(self._running)]:
                self._waiting.remove(job)
                self._running.add(job)
                threading.Thread(
                    target=self._run, args=(job,), daemon=True, name=f"mediaconvert-{job.id}"
                ).start()

    def cancel(self, job: Job) -> bool:
        """End the job; False when it is over already."""
        if not job.change("CANCELED"):
            return False
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
        if job.run is not None:
            job.run.kill()
        return True

    def _run(self, job: Job) -> None:
        try:
            if job.change("PROGRESSING"):
                run(job)
        finally:
            with self._lock:
                self._running.discard(job)
            self.start_next()


def run(job: Job) -> None:
    """Carry a job out; how it ends is in its status. Its files are gone afterwards."""
    folder = surroundings().folder / "mediaconvert" / job.id
    folder.mkdir(parents=True)
    try:
        _carry_out(job, folder)
        job.change("COMPLETE", outputGroupDetails=job.details)
    except _Cancelled:
        return
    except JobFailed as failure:
        _fail(job, failure.code, str(failure))
    except Misuse as problem:
        _fail(job, 1999, str(problem))
    except Exception as problem:  # a job must end, whatever happens
        _log.exception("the MediaConvert job %s failed", job.id)
        _fail(job, 1999, f"Unknown error: {type(problem).__name__}: {problem}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fail(job: Job, code: int, words: str) -> None:
    job.change("ERROR", (code, words), errorCode=code, errorMessage=words)


def _carry_out(job: Job, folder: Path) -> None:
    s3 = _s3_as(job)
    source = folder / "source"
    _download(s3, job.plan.source, source)
    media = _probe(job, source)
    for number in range(len(job.plan.groups)):
        (folder / str(number)).mkdir()
    job.come_to("TRANSCODING")
    _transcode(job, folder, source, media)
    job.come_to("UPLOADING")
    details: list[dict[str, Any]] = []
    files: list[tuple[Group, Path]] = []
    for number, group in enumerate(job.plan.groups):
        made = folder / str(number)
        details.append(_describe(group, made, media))
        files += [(group, file) for file in _in_order(made)]
    for done, (group, file) in enumerate(files):
        job.come_to("UPLOADING", 100 * done / len(files))
        _upload(s3, file, group.address_of(file.name))
    job.details = details


def _s3_as(job: Job) -> Any:
    """A client of S3 under the job's role. Raises `JobFailed` when MediaConvert may not take the role."""
    with request_scope(job.account, job.region):
        role = iam._roles.get(job.role.rpartition("/")[2])
    if role is None:
        raise _unreadable(1433, job.plan.source, f"Failed to read data: the role {job.role} does not exist")
    if not service_may_take(SERVICE, role, job.region, job.arn):
        raise _unreadable(1434, job.plan.source, "Failed to read data: AssumeRole failed")
    return client_as(session_of(job.role, f"EmeSession_{job.id}"), "s3", job.region)


def _download(s3: Any, source: Address, file: Path) -> None:
    from botocore.exceptions import ClientError

    try:
        body = s3.get_object(Bucket=source.bucket, Key=source.key)["Body"]
    except ClientError as refusal:
        raise _unreadable(_code(refusal), source, f"Failed to read data: {_words(refusal)}") from None
    with open(file, "wb") as copy:
        for chunk in body.iter_chunks(_CHUNK):
            copy.write(chunk)


def _upload(s3: Any, file: Path, address: Address) -> None:
    from botocore.exceptions import ClientError

    try:
        with open(file, "rb") as body:
            kind = _TYPES.get(file.suffix, "application/octet-stream")
            s3.put_object(Bucket=address.bucket, Key=address.key, Body=body, ContentType=kind)
    except ClientError as refusal:
        words = f"Unable to write to output file [{address}]: [Failed to write data: {_words(refusal)}]"
        raise JobFailed(_code(refusal), words) from None


def _code(refusal: Any) -> int:
    """MediaConvert's code for what S3 refused."""
    return {403: 1401, 404: 1404}.get(refusal.response["ResponseMetadata"]["HTTPStatusCode"], 1999)


def _words(refusal: Any) -> str:
    error = refusal.response["Error"]
    return str(error.get("Message") or error.get("Code"))


def _unreadable(code: int, source: Address, words: str) -> JobFailed:
    return JobFailed(code, f"Unable to open input file [{source}]: [Failed probe/open: [{words}]]")


def _probe(job: Job, source: Path) -> ffmpeg.Media:
    """What the input holds. Raises `JobFailed` when it is not what the outputs need."""
    job.come_to("PROBING", 50)
    try:
        media = ffmpeg.probe(source)
    except ffmpeg.FfmpegFailed as failure:
        raise _unreadable(1010, job.plan.source, str(failure)) from None
    outputs = [output for group in job.plan.groups for output in group.outputs]
    if not media.video_codec and any(output.video for output in outputs):
        raise JobFailed(1020, f"Unable to find video in input file [{job.plan.source}]")
    if not media.audio_codecs and any(not output.video for output in outputs):
        raise JobFailed(1021, f"Unable to find audio in input file [{job.plan.source}]")
    return media


def _transcode(job: Job, folder: Path, source: Path, media: ffmpeg.Media) -> None:
    process = ffmpeg.Run(job.plan.arguments(source), folder, folder / "ffmpeg.log")
    with job.lock:
        job.run = process
        cancelled = job.status != "PROGRESSING"
    if cancelled:
        process.kill()

    def note(seconds: float) -> None:
        if media.seconds and job.status == "PROGRESSING":
            job.come_to("TRANSCODING", 100 * seconds / media.seconds)

    try:
        process.wait(note)
    except ffmpeg.FfmpegFailed as failure:
        if job.status != "PROGRESSING":
            raise _Cancelled from None
        raise JobFailed(1076, f"Unable to read input file [{job.plan.source}]: [{failure}]") from None


def _describe(group: Group, folder: Path, media: ffmpeg.Media) -> dict[str, Any]:
    """What a group has become, as the COMPLETE event says it; a group of HLS gets its multivariant playlist."""
    details = []
    variants = []
    for output in group.outputs:
        if output.kind == "hls":
            detail, variant = _describe_stream(output, folder)
            variants.append(variant)
        elif output.kind == "frames":
            detail = _detail(media.seconds, ffmpeg.probe(_frames(output, folder)[-1]))
        else:
            made = ffmpeg.probe(folder / output.main_file)
            detail = _detail(made.seconds, made)
        main = _frames(output, folder)[-1].name if output.kind == "frames" else output.main_file
        details.append({"outputFilePaths": [str(group.address_of(main))], **detail})
    described: dict[str, Any] = {"outputDetails": details, "type": group.type}
    if variants:
        (folder / group.playlist).write_text(multivariant_playlist(variants))
        described["playlistFilePaths"] = [str(group.address_of(group.playlist))]
    return described


def _describe_stream(output: Output, folder: Path) -> tuple[dict[str, Any], Variant]:
    segments = segments_of((folder / output.main_file).read_text())
    sizes = [(folder / name).stat().st_size * 8 for name, _ in segments]
    lengths = [seconds for _, seconds in segments]
    first = folder / segments[0][0]
    made = ffmpeg.probe(first)
    variant = Variant(
        playlist=output.main_file,
        peak_bitrate=round(max(size / seconds for size, seconds in zip(sizes, lengths, strict=True))),
        average_bitrate=round(sum(sizes) / sum(lengths)),
        codecs=codecs_of(first.read_bytes(), bool(made.audio_codecs)),
        width=made.width,
        height=made.height,
        frame_rate=made.frame_rate,
    )
    detail = _detail(sum(lengths), made)
    detail["videoDetails"]["averageBitrate"] = variant.average_bitrate
    return detail, variant


def _detail(seconds: float, made: ffmpeg.Media) -> dict[str, Any]:
    detail: dict[str, Any] = {"durationInMs": round(seconds * 1000)}
    if made.width:
        detail["videoDetails"] = {"widthInPx": made.width, "heightInPx": made.height}
    return detail


def _frames(output: Output, folder: Path) -> list[Path]:
    captured = f"{output.name}."
    return [
        file
        for file in sorted(folder.iterdir())
        if file.name.startswith(captured) and file.suffix == f".{output.extension}"
    ]


def _in_order(folder: Path) -> list[Path]:
    """A group's files: playlists last, so that none names a segment that is not there yet."""
    return sorted(folder.iterdir(), key=lambda file: (file.suffix == ".m3u8", file.name))


def _new_id() -> str:
    """An id as MediaConvert makes them: milliseconds, and six letters or digits."""
    tail = "".join(random.choices(string.ascii_lowercase + string.digits, k=6))  # noqa: S311 (no secret)
    return f"{int(time.time() * 1000)}-{tail}"
