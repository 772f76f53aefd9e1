"""MediaConvert in the offline AWS: jobs really run, by ffmpeg, under their role, and EventBridge is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.offline import (
    ACCOUNT,
    client_with,
    create_role,
    create_stack,
    delete_stack,
    eventually,
    processes_of,
    user_keys,
)
from tests.templates import allow, get_att, ref, resource, template
from workbench.dryrun.emulator import Emulator
from workbench.errors import Misuse
from workbench.offline import media_jobs
from workbench.offline.engines import ffmpeg
from workbench.offline.media_jobs import Job, Scheduler
from workbench.offline.media_settings import InvalidSettings, in_camel_case, merged, plan_of

BUCKET = "media-test"
SECONDS = 3
TRUSTED = {"Service": "mediaconvert.amazonaws.com"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A film with sound, one without, and one that is cheap to make and keeps ffmpeg busy for minutes."""
    folder = tmp_path_factory.mktemp("videos")
    picture = ["-f", "lavfi", "-i", f"testsrc=size=320x180:rate=25:duration={SECONDS}"]
    sound = ["-f", "lavfi", "-i", f"sine=duration={SECONDS}"]
    fast = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    still = ["-f", "lavfi", "-i", "color=size=64x64:rate=1:duration=1800"]
    made = {name: folder / f"{name}.mp4" for name in ("film", "silent", "endless")}
    _ffmpeg(*picture, *sound, *fast, "-c:a", "aac", str(made["film"]))
    _ffmpeg(*picture, *fast, str(made["silent"]))
    _ffmpeg(*still, *fast, str(made["endless"]))
    return made


@pytest.fixture(scope="module")
def world(emulator: Emulator, videos: dict[str, Path]) -> dict[str, str]:
    """A bucket with films, roles by their ARNs, and the URL of a queue that gets every event of MediaConvert."""
    s3 = emulator.endpoint.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for name, file in videos.items():
        s3.put_object(Bucket=BUCKET, Key=f"in/{name}.mp4", Body=file.read_bytes())
    s3.put_object(Bucket=BUCKET, Key="in/letter.mp4", Body=b"Dear Sir or Madam, this is no film." * 100)
    bucket = f"arn:aws:s3:::{BUCKET}"
    reading = allow("s3:GetObject", Resource=f"{bucket}/in/*")
    writing = allow("s3:PutObject", Resource=f"{bucket}/out/*")
    listing = allow("s3:ListBucket", Resource=bucket)
    role = partial(create_role, emulator.endpoint)
    sqs, events = emulator.endpoint.client("sqs"), emulator.endpoint.client("events")
    url = sqs.create_queue(QueueName="media-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.mediaconvert"], "detail-type": ["MediaConvert Job State Change"]}
    events.put_rule(Name="media", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="media", Targets=[{"Id": "queue", "Arn": arn}])
    return {
        "reader-and-writer": role("reader-and-writer", reading, writing, listing, trusts=TRUSTED),
        "reader": role("reader", reading, listing, trusts=TRUSTED),
        "stranger": role("stranger", reading, writing, trusts=None),
        "events": url,
    }


@pytest.fixture(scope="module")
def streamed(emulator: Emulator, world: dict[str, str]) -> dict[str, Any]:
    """A job that has made two qualities of HLS, a file and thumbnails."""
    groups = [
        _hls("s3://media-test/out/film/", _stream("_low", 160, 90), _stream("_high", 320, 180)),
        _files("s3://media-test/out/film/whole", _mp4()),
        _files("s3://media-test/out/film/thumb", _thumbnails()),
    ]
    job = _create(emulator, world["reader-and-writer"], "film", groups, UserMetadata={"film": "42"})
    return _ended(emulator, job)


# Jobs.


def test_a_job_ends_complete_and_says_how_far_it_came(streamed: dict[str, Any]) -> None:
    assert streamed["Status"] == "COMPLETE", streamed.get("ErrorMessage")
    assert streamed["JobPercentComplete"] == 100
    assert streamed["Queue"].endswith(":queues/Default")
    assert (
        streamed["Timing"]["SubmitTime"]
        <= streamed["Timing"]["StartTime"]
        <= streamed["Timing"]["FinishTime"]
    )
    low, high = streamed["OutputGroupDetails"][0]["OutputDetails"]
    assert low["VideoDetails"] == {"WidthInPx": 160, "HeightInPx": 90}
    assert high["VideoDetails"] == {"WidthInPx": 320, "HeightInPx": 180}
    assert abs(high["DurationInMs"] - SECONDS * 1000) < 200


@pytest.mark.usefixtures("streamed")
def test_the_multivariant_playlist_names_both_qualities_as_they_are(emulator: Emulator) -> None:
    playlist = _object(emulator, "out/film/film.m3u8").decode()
    variants = re.findall(
        r'BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),CODECS="([^"]+)",RESOLUTION=(\S+?),.*\n(\S+)', playlist
    )
    assert [(codecs[:5], codecs[-10:], size, name) for _, _, codecs, size, name in variants] == [
        ("avc1.", ",mp4a.40.2", "160x90", "film_low.m3u8"),
        ("avc1.", ",mp4a.40.2", "320x180", "film_high.m3u8"),
    ]
    assert all(int(peak) >= int(average) > 10_000 for peak, average, *_ in variants)


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize(("quality", "size"), [("_low", (160, 90)), ("_high", (320, 180))])
def test_every_segment_of_a_quality_is_there_and_can_be_decoded(
    emulator: Emulator, tmp_path: Path, quality: str, size: tuple[int, int]
) -> None:
    segments = re.findall(
        r"^(\S+\.ts)$", _object(emulator, f"out/film/film{quality}.m3u8").decode(), re.MULTILINE
    )
    assert segments == [f"film{quality}_{number:05d}.ts" for number in range(1, SECONDS + 1)]
    for segment in segments:
        file = tmp_path / segment
        file.write_bytes(_object(emulator, f"out/film/{segment}"))
        _ffmpeg("-xerror", "-i", str(file), "-f", "null", "-")
        media = ffmpeg.probe(file)
        assert (media.width, media.height) == size
        assert media.audio_codecs == ("aac",)


@pytest.mark.usefixtures("streamed")
def test_a_file_and_a_thumbnail_for_each_second_are_made_beside_it(
    emulator: Emulator, tmp_path: Path
) -> None:
    film, picture = tmp_path / "whole.mp4", tmp_path / "thumb.jpg"
    film.write_bytes(_object(emulator, "out/film/whole.mp4"))
    assert abs(ffmpeg.probe(film).seconds - SECONDS) < 0.2
    found = emulator.endpoint.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="out/film/thumb")["Contents"]
    names = [each["Key"].rpartition("/")[2] for each in found]
    assert names == [f"thumb.{number:07d}.jpg" for number in range(SECONDS)]
    picture.write_bytes(_object(emulator, "out/film/thumb.0000001.jpg"))
    assert ffmpeg.probe(picture).width == 80


def test_the_events_of_a_job_reach_a_queue_through_a_rule(
    emulator: Emulator, world: dict[str, str], streamed: dict[str, Any]
) -> None:
    event = _event(emulator, world, streamed["Id"], "COMPLETE")
    assert (event["source"], event["account"], event["region"]) == ("aws.mediaconvert", ACCOUNT, "us-east-1")
    assert event["resources"] == [streamed["Arn"]]
    assert event["detail"]["userMetadata"] == {"film": "42"}
    assert event["detail"]["queue"] == streamed["Queue"]
    stream, file, thumbnails = event["detail"]["outputGroupDetails"]
    assert (stream["type"], file["type"]) == ("HLS_GROUP", "FILE_GROUP")
    assert stream["playlistFilePaths"] == ["s3://media-test/out/film/film.m3u8"]
    assert [each["outputFilePaths"] for each in stream["outputDetails"]] == [
        ["s3://media-test/out/film/film_low.m3u8"],
        ["s3://media-test/out/film/film_high.m3u8"],
    ]
    assert abs(file["outputDetails"][0]["durationInMs"] - SECONDS * 1000) < 200
    last = f"s3://media-test/out/film/thumb.{SECONDS - 1:07d}.jpg"
    assert thumbnails["outputDetails"][0]["outputFilePaths"] == [last]
    assert _event(emulator, world, streamed["Id"], "PROGRESSING")["detail"]["userMetadata"] == {"film": "42"}


def test_an_input_without_sound_makes_outputs_without(
    emulator: Emulator, world: dict[str, str], tmp_path: Path
) -> None:
    groups = [_hls("s3://media-test/out/silent/", _stream("", 160, 90) | {"NameModifier": "_only"})]
    job = _ended(emulator, _create(emulator, world["reader-and-writer"], "silent", groups))
    assert job["Status"] == "COMPLETE", job.get("ErrorMessage")
    segment = tmp_path / "segment.ts"
    segment.write_bytes(_object(emulator, "out/silent/silent_only_00001.ts"))
    assert ffmpeg.probe(segment).audio_codecs == ()
    assert "mp4a" not in _object(emulator, "out/silent/silent.m3u8").decode()


@pytest.mark.parametrize(
    ("role", "film", "code", "words"),
    [
        ("reader-and-writer", "missing", 1404, "Unable to open input file [s3://media-test/in/missing.mp4]"),
        ("reader-and-writer", "letter", 1010, "Unable to open input file [s3://media-test/in/letter.mp4]"),
        ("reader", "film", 1401, "Unable to write to output file [s3://media-test/out/failed.mp4]"),
        ("stranger", "film", 1434, "AssumeRole failed"),
        ("nobody", "film", 1433, "does not exist"),
    ],
)
def test_a_job_that_cannot_be_done_ends_in_error_and_says_so(
    emulator: Emulator, world: dict[str, str], role: str, film: str, code: int, words: str
) -> None:
    arn = world.get(role, f"arn:aws:iam::{ACCOUNT}:role/{role}")
    groups = [_files("s3://media-test/out/failed", _mp4())]
    job = _ended(emulator, _create(emulator, arn, film, groups))
    assert (job["Status"], job["ErrorCode"]) == ("ERROR", code)
    assert words in job["ErrorMessage"]
    event = _event(emulator, world, job["Id"], "ERROR")
    assert (event["detail"]["errorCode"], event["detail"]["errorMessage"]) == (code, job["ErrorMessage"])


def test_what_a_job_does_to_s3_is_decided_for_its_role(emulator: Emulator, streamed: dict[str, Any]) -> None:
    session = f":assumed-role/reader-and-writer/EmeSession_{streamed['Id']}"
    made = {
        (each["action"], each["resource"].rpartition("/")[2], each["allowed"])
        for each in emulator.decisions()
        if each["principal"].endswith(session)
    }
    assert ("s3:GetObject", "film.mp4", True) in made
    assert ("s3:PutObject", "film_high_00003.ts", True) in made


def test_a_cancelled_job_ends_at_once_with_its_ffmpeg(emulator: Emulator, world: dict[str, str]) -> None:
    client = emulator.endpoint.client("mediaconvert")
    role, groups = (
        world["reader-and-writer"],
        [_files("s3://media-test/out/endless", _mp4(1920, 1080, rate=60))],
    )
    jobs = [_create(emulator, role, "endless", groups) for _ in range(3)]
    transcoding = [
        eventually(partial(_transcoding, emulator, job), f"{job} to transcode") for job in jobs[:2]
    ]
    assert all(0 < each["JobPercentComplete"] < 100 for each in transcoding)
    assert client.get_job(Id=jobs[2])["Job"]["Status"] == "SUBMITTED"  # two run at once, and no more
    eventually(lambda: len(_children(emulator, "ffmpeg")) == 2, "two ffmpegs")
    for job in reversed(jobs):
        client.cancel_job(Id=job)
    assert [client.get_job(Id=job)["Job"]["Status"] for job in jobs] == ["CANCELED"] * 3
    eventually(lambda: not _children(emulator, "ffmpeg"), "the end of ffmpeg")
    eventually(lambda: not list((emulator.folder / "mediaconvert").iterdir()), "the end of the jobs' files")
    assert _event(emulator, world, jobs[2], "CANCELED")
    with pytest.raises(client.exceptions.ConflictException):
        client.cancel_job(Id=jobs[0])


def test_a_job_waits_while_its_queue_is_paused(emulator: Emulator, world: dict[str, str]) -> None:
    client = emulator.endpoint.client("mediaconvert")
    queue = client.create_queue(Name="nightly", Status="PAUSED")["Queue"]
    groups = [_files("s3://media-test/out/nightly", _mp4())]
    job = _create(emulator, world["reader-and-writer"], "film", groups, Queue=queue["Arn"])
    assert client.get_queue(Name="nightly")["Queue"]["SubmittedJobsCount"] == 1
    assert [each["Id"] for each in client.list_jobs(Queue="nightly", Status="SUBMITTED")["Jobs"]] == [job]
    client.update_queue(Name="nightly", Status="ACTIVE")
    assert _ended(emulator, job)["Status"] == "COMPLETE"
    client.delete_queue(Name="nightly")
    assert [each["Name"] for each in client.list_queues()["Queues"]] == ["Default"]


# Who may create one.


def test_the_caller_must_be_allowed_to_create_jobs_and_to_pass_the_role(
    emulator: Emulator, world: dict[str, str]
) -> None:
    role = world["reader-and-writer"]
    create = allow("mediaconvert:CreateJob", Resource="*")
    to_mediaconvert = {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}
    passing = allow("iam:PassRole", Resource=role, Condition=to_mediaconvert)
    groups = [_files("s3://media-test/out/asked", _mp4())]
    asked = {"Role": role, "Settings": _settings("film", groups)}
    for name, statement, refused in (
        ("without-create", passing, "mediaconvert:CreateJob"),
        ("without-pass", create, "iam:PassRole"),
    ):
        with pytest.raises(ClientError, match=f"not authorized to perform: {refused}") as error:
            _as_user(emulator, name, statement).create_job(**asked)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    job = _as_user(emulator, "with-both", create, passing).create_job(**asked)["Job"]["Id"]
    assert _ended(emulator, job)["Status"] == "COMPLETE"
    decided = {(each["action"], each["resource"], each["allowed"]) for each in emulator.decisions()}
    assert ("iam:PassRole", role, True) in decided
    assert (
        "mediaconvert:CreateJob",
        f"arn:aws:mediaconvert:us-east-1:{ACCOUNT}:queues/Default",
        False,
    ) in decided


def test_a_setting_that_is_not_supported_is_refused_by_its_path(
    emulator: Emulator, world: dict[str, str]
) -> None:
    group = {"Type": "CMAF_GROUP_SETTINGS", "CmafGroupSettings": {"Destination": "s3://media-test/out/"}}
    groups = [{"OutputGroupSettings": group, "Outputs": [_mp4()]}]
    client = emulator.endpoint.client("mediaconvert")
    with pytest.raises(
        client.exceptions.BadRequestException, match="/outputGroups/0/outputGroupSettings/type"
    ):
        client.create_job(Role=world["reader"], Settings=_settings("film", groups))


# In a template.


def test_a_stack_makes_queue_template_and_preset_that_jobs_use(
    emulator: Emulator, world: dict[str, str]
) -> None:
    client = emulator.endpoint.client("mediaconvert")
    small = _mp4(64, 36)
    settings = {"OutputGroups": [_files("s3://media-test/out/by-template", {"Preset": ref("Preset")})]}
    resources = {
        "Queue": resource("MediaConvert::Queue", Description="of the stack"),
        "Preset": resource("MediaConvert::Preset", SettingsJson=small, Name="small"),
        "Template": resource(
            "MediaConvert::JobTemplate", Queue=get_att("Queue", "Arn"), SettingsJson=settings
        ),
    }
    told = template(resources, {"Queue": get_att("Queue", "Arn"), "Template": ref("Template")})
    outputs = create_stack(emulator.endpoint, "media", told)
    settings = {"Inputs": _settings("film", [])["Inputs"]}
    asked = {"Role": world["reader-and-writer"], "JobTemplate": outputs["Template"], "Settings": settings}
    job = _ended(emulator, client.create_job(**asked)["Job"]["Id"])
    assert (job["Status"], job["Queue"]) == ("COMPLETE", outputs["Queue"])
    assert job["OutputGroupDetails"][0]["OutputDetails"][0]["VideoDetails"] == {
        "WidthInPx": 64,
        "HeightInPx": 36,
    }
    delete_stack(emulator.endpoint, "media")
    assert len(client.list_queues()["Queues"]) == 1
    assert client.list_job_templates()["JobTemplates"] == client.list_presets()["Presets"] == []


# The settings alone.


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"inputs": []}, "/inputs"),
        ({"inputs": [{"fileInput": "https://example.com/a.mp4"}]}, "/inputs/0/fileInput"),
        ({"inputs": [{"fileInput": "s3://media-test/a", "crop": {"x": 1}}]}, "/inputs/0/crop"),
        ({"esam": {"signalProcessingNotification": {}}}, "/esam"),
        ({"outputGroups": []}, "/outputGroups"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(change: dict[str, Any], path: str) -> None:
    settings = in_camel_case(_settings("film", [_files("s3://media-test/out/a", _mp4())]))
    plan_of(settings)
    with pytest.raises(InvalidSettings, match=f"^{path}: "):
        plan_of({**settings, **change})


def test_a_setting_deep_in_the_encoder_is_refused_rather_than_ignored() -> None:
    settings = in_camel_case(_settings("film", [_files("s3://media-test/out/a", _mp4())]))
    h264 = settings["outputGroups"][0]["outputs"][0]["videoDescription"]["codecSettings"]["h264Settings"]
    for name, value in (("bandwidthReductionFilter", {"strength": "LOW"}), ("interlaceMode", "TOP_FIELD")):
        h264[name] = value
        with pytest.raises(InvalidSettings, match=f"/h264Settings/{name}: "):
            plan_of(settings)
        del h264[name]


@pytest.mark.parametrize(
    ("h264", "options"),
    [
        (
            {"rateControlMode": "CBR", "bitrate": 1000},
            ["-b:v", "1000", "-minrate", "1000", "-maxrate", "1000", "-bufsize", "2000"],
        ),
        (
            {"rateControlMode": "VBR", "bitrate": 1000, "maxBitrate": 3000},
            ["-b:v", "1000", "-maxrate", "3000", "-bufsize", "6000"],
        ),
        (
            {"rateControlMode": "QVBR", "maxBitrate": 3000, "qvbrSettings": {"qvbrQualityLevel": 10}},
            ["-crf", "16", "-maxrate", "3000", "-bufsize", "6000"],
        ),
        (
            {"rateControlMode": "CBR", "bitrate": 1000, "hrdBufferSize": 500, "gopSize": 50},
            ["-b:v", "1000", "-minrate", "1000", "-maxrate", "1000", "-bufsize", "500", "-g", "50"],
        ),
    ],
)
def test_rate_control_is_told_to_the_encoder(h264: dict[str, Any], options: list[str]) -> None:
    output = _media({"Container": "MP4"}, 64, 36, h264)
    settings = in_camel_case(_settings("film", [_files("s3://media-test/out/a", output)]))
    arguments = plan_of(settings).arguments(Path("source"))
    start = arguments.index("-profile:v") + 2
    assert arguments[start : start + len(options)] == options


def test_names_that_are_to_be_computed_are_refused() -> None:
    output = {**_stream("_a", 64, 36), "OutputSettings": {"HlsSettings": {"SegmentModifier": "$dt$"}}}
    settings = in_camel_case(_settings("film", [_hls("s3://media-test/out/", output)]))
    with pytest.raises(InvalidSettings, match="/outputSettings/hlsSettings/segmentModifier: "):
        plan_of(settings)


def test_thumbnails_alone_are_refused_as_on_aws() -> None:
    settings = in_camel_case(_settings("film", [_files("s3://media-test/out/a", _thumbnails())]))
    with pytest.raises(InvalidSettings, match="frame capture needs a regular output"):
        plan_of(settings)


def test_a_job_holds_over_its_template_and_completes_its_inputs() -> None:
    template = {"inputs": [{"timecodeSource": "ZEROBASED"}], "outputGroups": [1]}
    assert merged(template, {"inputs": [{"fileInput": "s3://b/a"}]}) == {
        "inputs": [{"timecodeSource": "ZEROBASED", "fileInput": "s3://b/a"}],
        "outputGroups": [1],
    }


def test_names_of_selectors_are_kept_when_settings_are_spelled_anew() -> None:
    said = {"AudioSelectors": {"Audio Selector 1": {"DefaultSelection": "DEFAULT"}}}
    assert in_camel_case(said) == {"audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}}


# How jobs take their turns and say how far they are.


def test_urgent_jobs_run_first_and_none_of_a_paused_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[int] = []
    monkeypatch.setattr(media_jobs, "AT_ONCE", 1)
    monkeypatch.setattr(media_jobs, "run", lambda job: order.append(job.priority))
    monkeypatch.setattr(Job, "tell", lambda *_: None)
    paused = {"first": True, "second": True}
    scheduler = Scheduler(lambda job: paused[job.queue])
    for queue, priority in (("first", 0), ("first", 50), ("second", 10), ("first", 20)):
        scheduler.submit(_job(queue=queue, priority=priority))
    assert order == []
    paused["first"] = False
    scheduler.start_next()
    eventually(lambda: len(order) == 3, "three jobs to have run")
    assert order == [50, 20, 0]


def test_a_long_job_tells_how_far_it_is_and_in_which_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(Job, "tell", lambda _, status, detail: told.append((status, detail)))
    job = _job(interval=0.0)
    job.change("PROGRESSING")
    job.come_to("TRANSCODING", 40)
    phases = {
        "PROBING": {"status": "COMPLETE", "percentComplete": 100},
        "TRANSCODING": {"status": "PROGRESSING", "percentComplete": 40},
        "UPLOADING": {"status": "PENDING", "percentComplete": 0},
    }
    progress = {
        "phaseProgress": phases,
        "jobPercentComplete": 39,
        "currentPhase": "TRANSCODING",
        "retryCount": 0,
    }
    assert told == [("PROGRESSING", {}), ("STATUS_UPDATE", {"jobProgress": progress})]


def test_where_ffmpeg_is_not_installed_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(Misuse, match="not installed: run `make setup-dev`"):
        ffmpeg.executable.__wrapped__()


def _job(queue: str = "Default", priority: int = 0, interval: float = 60.0) -> Job:
    settings = in_camel_case(_settings("film", [_files("s3://media-test/out/a", _mp4())]))
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    return Job(ACCOUNT, "us-east-1", queue, role, plan_of(settings), {"priority": priority}, interval)


# Settings, as the API's clients spell them.


def _settings(film: str, groups: list[Any]) -> dict[str, Any]:
    selectors = {"Audio Selector 1": {"DefaultSelection": "DEFAULT"}}
    return {
        "Inputs": [{"FileInput": f"s3://media-test/in/{film}.mp4", "AudioSelectors": selectors}],
        "OutputGroups": groups,
    }


def _files(destination: str, output: dict[str, Any]) -> dict[str, Any]:
    own = {"Type": "FILE_GROUP_SETTINGS", "FileGroupSettings": {"Destination": destination}}
    return {"OutputGroupSettings": own, "Outputs": [output]}


def _hls(destination: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    settings = {"Destination": destination, "SegmentLength": 1, "MinSegmentLength": 0}
    own = {"Type": "HLS_GROUP_SETTINGS", "HlsGroupSettings": settings}
    return {"OutputGroupSettings": own, "Outputs": list(outputs)}


def _stream(modifier: str, width: int, height: int) -> dict[str, Any]:
    h264 = {"RateControlMode": "QVBR", "MaxBitrate": 400_000, "QvbrSettings": {"QvbrQualityLevel": 6}}
    output = _media({"Container": "M3U8"}, width, height, h264)
    return {**output, "NameModifier": modifier} if modifier else output


def _mp4(width: int = 160, height: int = 90, rate: int | None = None) -> dict[str, Any]:
    h264: dict[str, Any] = {"RateControlMode": "CBR", "Bitrate": 100_000}
    if rate is not None:
        h264 |= {"FramerateControl": "SPECIFIED", "FramerateNumerator": rate, "FramerateDenominator": 1}
    return _media({"Container": "MP4"}, width, height, h264)


def _media(container: dict[str, str], width: int, height: int, h264: dict[str, Any]) -> dict[str, Any]:
    aac = {"Bitrate": 64_000, "CodingMode": "CODING_MODE_2_0", "SampleRate": 48_000}
    sound = {"AudioSourceName": "Audio Selector 1", "CodecSettings": {"Codec": "AAC", "AacSettings": aac}}
    codec = {"Codec": "H_264", "H264Settings": h264}
    return {
        "ContainerSettings": container,
        "VideoDescription": {"Width": width, "Height": height, "CodecSettings": codec},
        "AudioDescriptions": [sound],
    }


def _thumbnails() -> dict[str, Any]:
    capture = {"FramerateNumerator": 1, "FramerateDenominator": 1, "MaxCaptures": 10, "Quality": 80}
    codec = {"Codec": "FRAME_CAPTURE", "FrameCaptureSettings": capture}
    return {
        "ContainerSettings": {"Container": "RAW"},
        "VideoDescription": {"Width": 80, "CodecSettings": codec},
    }


# Helpers.


def _create(emulator: Emulator, role: str, film: str, groups: list[Any], **more: Any) -> str:
    client = emulator.endpoint.client("mediaconvert")
    return str(client.create_job(Role=role, Settings=_settings(film, groups), **more)["Job"]["Id"])


def _ended(emulator: Emulator, job: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found = emulator.endpoint.client("mediaconvert").get_job(Id=job)["Job"]
        return found if found["Status"] in ("COMPLETE", "ERROR", "CANCELED") else None

    return eventually(ended, f"the end of job {job}")


def _transcoding(emulator: Emulator, job: str) -> dict[str, Any] | None:
    found: dict[str, Any] = emulator.endpoint.client("mediaconvert").get_job(Id=job)["Job"]
    return found if found.get("CurrentPhase") == "TRANSCODING" else None


_seen: list[dict[str, Any]] = []  # events that were received, for the tests that look for another one


def _event(emulator: Emulator, world: dict[str, str], job: str, status: str) -> dict[str, Any]:
    sqs = emulator.endpoint.client("sqs")

    def found() -> dict[str, Any] | None:
        received = sqs.receive_message(QueueUrl=world["events"], MaxNumberOfMessages=10).get("Messages", [])
        _seen.extend(json.loads(each["Body"]) for each in received)
        wanted = (
            each for each in _seen if (each["detail"]["jobId"], each["detail"]["status"]) == (job, status)
        )
        return next(wanted, None)

    return eventually(found, f"the event {status} of {job}")


def _object(emulator: Emulator, key: str) -> bytes:
    body: bytes = emulator.endpoint.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def _as_user(emulator: Emulator, name: str, *statements: dict[str, Any]) -> Any:
    return client_with(user_keys(emulator.endpoint, name, *statements), emulator.endpoint, "mediaconvert")


def _children(emulator: Emulator, name: str) -> list[str]:
    """The processes called so in the emulator's process group."""
    return [line for line in processes_of(emulator.pid) if name in line.split()[0]]


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg.executable(), "-v", "error", "-nostdin", "-y", *arguments], check=True)
