"""A MediaConvert job's settings as ffmpeg's arguments. Pure: JSON of the API in, a `Plan` out.

Every setting is read, taken as having no effect here, or refused with its path: none is passed over in silence.
What has no effect concerns fine points of encoding (quality tuning, adaptive quantization, packet intervals): all is
encoded with ffmpeg's fastest preset, because what is wanted offline is playable media of the right shape; a profile
is the most that may be used, and playlists name the one that was.

Sources: the MediaConvert API Reference, "Jobs"; the MediaConvert User Guide, "Output file names and paths" and
"Choosing your video quality"; RFC 8216 for playlists, RFC 6381 for the names of codecs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

Kind = Literal["mp4", "hls", "frames"]

_S3 = re.compile(r"^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)$")
_KEPT_NAMES = ("audioSelectors", "userMetadata", "tags")  # maps, whose keys are names and no settings
_SEQUENCE_PARAMETERS = re.compile(rb"\x00\x00\x01[\x27\x47\x67](...)", re.DOTALL)
_PROFILES = {"BASELINE": "baseline", "MAIN": "main", "HIGH": "high"}
_CHANNELS = {"CODING_MODE_1_0": 1, "CODING_MODE_2_0": 2, "CODING_MODE_5_1": 6}
_OVERHEAD = 1.25  # of a variable bit rate's peak over its average, where no maximum is given

# Without effect here. Values that would have one are refused where they are read.
_H264_WITHOUT_EFFECT = (
    "adaptiveQuantization",
    "codecLevel",
    "dynamicSubGop",
    "entropyEncoding",
    "fieldEncoding",
    "flickerAdaptiveQuantization",
    "framerateConversionAlgorithm",
    "gopBReference",
    "gopClosedCadence",
    "hrdBufferFinalFillPercentage",
    "hrdBufferInitialFillPercentage",
    "minIInterval",
    "numberBFramesBetweenReferenceFrames",
    "numberReferenceFrames",
    "qualityTuningLevel",
    "repeatPps",
    "sceneChangeDetect",
    "slices",
    "softness",
    "spatialAdaptiveQuantization",
    "temporalAdaptiveQuantization",
)
_HLS_WITHOUT_EFFECT = (
    "captionLanguageSetting",
    "clientCache",
    "codecSpecification",
    "manifestDurationFormat",
    "minFinalSegmentLength",
    "minSegmentLength",
    "programDateTimePeriod",
    "progressiveWriteHlsManifest",
    "segmentLengthControl",
    "segmentsPerSubdirectory",
    "streamInfResolution",
    "targetDurationCompatibilityMode",
    "timedMetadataId3Frame",
    "timedMetadataId3Period",
    "timestampDeltaMilliseconds",
)


class InvalidSettings(ValueError):
    """The settings cannot be carried out; the text names the setting by its path."""


@dataclass(frozen=True)
class Address:
    """An object of S3, or where such begin."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Output:
    """One output: its files are called `name` and what its kind adds. `video` and `audio` are ffmpeg's options.

    `segment` is how a segment's name begins. `scale` is a filter for the picture, or empty.
    """

    kind: Kind
    name: str
    extension: str
    video: tuple[str, ...] = ()
    audio: tuple[
        tuple[int, tuple[str, ...]], ...
    ] = ()  # the number of the input's track, from 0, and options
    filters: tuple[str, ...] = ()
    segment: str = ""

    @property
    def main_file(self) -> str:
        """What EventBridge is told: the media, a playlist; of frames there are many."""
        return f"{self.name}.{self.extension}"


@dataclass(frozen=True)
class Group:
    """An output group: its files go to `folder`, an address that ends with a slash or has no key."""

    type: Literal["FILE_GROUP", "HLS_GROUP"]
    folder: Address
    name: str  # of the multivariant playlist
    outputs: tuple[Output, ...]
    segment_seconds: int = 0

    @property
    def playlist(self) -> str:
        return f"{self.name}.m3u8"

    def address_of(self, file: str) -> Address:
        return Address(self.folder.bucket, self.folder.key + file)


@dataclass(frozen=True)
class Plan:
    """What a job does."""

    source: Address
    groups: tuple[Group, ...]

    def arguments(self, source: Path) -> list[str]:
        """ffmpeg's, for one run that makes every output from the file `source`.

        The files of the n-th group are written to the folder `n` of the working folder, which must be there.
        """
        found = ["-i", str(source)]
        for number, group in enumerate(self.groups):
            for output in group.outputs:
                found += _output_arguments(output, group, PurePosixPath(str(number)))
        return found


@dataclass(frozen=True)
class Variant:
    """A quality as the multivariant playlist names it; bit rates in bit/s."""

    playlist: str
    peak_bitrate: int
    average_bitrate: int
    codecs: str
    width: int
    height: int
    frame_rate: float


def plan_of(settings: Mapping[str, Any], presets: Mapping[str, Mapping[str, Any]] | None = None) -> Plan:
    """What a job with these settings does; `presets` are those that outputs may name, by name.

    Raises `InvalidSettings`.
    """
    read = _Settings(settings, "")
    read.without_effect("adAvailOffset", "timecodeConfig")
    read.only("followSource", 1)
    inputs = list(read.each("inputs"))
    if len(inputs) != 1:
        raise InvalidSettings(f"/inputs: the offline AWS takes one input a job, not {len(inputs)}")
    source, tracks = _input(inputs[0])
    groups = tuple(_group(each, source, tracks, presets or {}) for each in read.each("outputGroups"))
    if not groups:
        raise InvalidSettings("/outputGroups: should have at least one output group")
    if all(output.kind == "frames" for group in groups for output in group.outputs):
        raise InvalidSettings("/outputGroups: frame capture needs a regular output beside it in the job")
    read.done()
    return Plan(source, groups)


def merged(template: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A job's settings on top of its template's: the job's hold; its inputs are completed from the template's."""
    together = {**template, **settings}
    if "inputs" in template and "inputs" in settings:
        model = template["inputs"][0] if template["inputs"] else {}
        together["inputs"] = [{**model, **each} for each in settings["inputs"]]
    return together


def in_camel_case(value: Any) -> Any:
    """Settings as the API spells them, from those of CloudFormation, which may begin with capitals."""
    if isinstance(value, list):
        return [in_camel_case(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    spelled = {str(name)[:1].lower() + str(name)[1:]: each for name, each in value.items()}
    return {
        name: {key: in_camel_case(inner) for key, inner in each.items()}
        if name in _KEPT_NAMES and isinstance(each, Mapping)
        else in_camel_case(each)
        for name, each in spelled.items()
    }


def multivariant_playlist(variants: Sequence[Variant]) -> str:
    """The playlist that names every quality, in the order of the job's outputs."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for each in variants:
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={each.peak_bitrate},AVERAGE-BANDWIDTH={each.average_bitrate},"
            f'CODECS="{each.codecs}",RESOLUTION={each.width}x{each.height},FRAME-RATE={each.frame_rate:.3f}'
        )
        lines.append(each.playlist)
    return "\n".join(lines) + "\n"


def segments_of(playlist: str) -> list[tuple[str, float]]:
    """The segments that a media playlist names, with their seconds."""
    return [(name, float(seconds)) for seconds, name in re.findall(r"#EXTINF:([\d.]+),.*\n(\S+)", playlist)]


def codecs_of(segment: bytes, with_audio: bool) -> str:
    """The codecs of a transport stream with H.264, as RFC 6381 names them; from its sequence parameters."""
    found = _SEQUENCE_PARAMETERS.search(segment)
    video = f"avc1.{found[1].hex()}" if found else "avc1"
    return f"{video},mp4a.40.2" if with_audio else video


@dataclass
class _Settings:
    """An object of the settings, with its path. What nobody asked for when it is `done` is refused."""

    value: Mapping[str, Any]
    path: str
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.value, Mapping):
            raise InvalidSettings(f"{self.path}: should be an object")

    def take(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        value = self.value.get(name)
        return default if value is None else value

    def need(self, name: str) -> Any:
        value = self.take(name)
        if value is None:
            raise InvalidSettings(f"{self.path}: should have required property '{name}'")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        value = self.need(name) if default is None else self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidSettings(f"{self.path}/{name}: should be an integer")
        return value

    def one_of(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.need(name) if default is None else self.take(name, default)
        if value not in choices:
            raise InvalidSettings(
                f"{self.path}/{name}: the offline AWS does not support {value}, only {', '.join(choices)}"
            )
        return str(value)

    def only(self, name: str, *values: Any) -> None:
        """A setting that is supported with these values, which have no effect."""
        value = self.take(name)
        if value is not None and value not in values:
            raise InvalidSettings(f"{self.path}/{name}: the offline AWS does not support {value}")

    def without_effect(self, *names: str) -> None:
        self.asked.update(names)

    def under(self, name: str) -> _Settings:
        return _Settings(self.take(name, {}), f"{self.path}/{name}")

    def each(self, name: str) -> Iterator[_Settings]:
        for number, value in enumerate(self.take(name, [])):
            yield _Settings(value, f"{self.path}/{name}/{number}")

    def done(self) -> None:
        rest = [
            name
            for name, value in self.value.items()
            if name not in self.asked and value not in (None, {}, [])
        ]
        if rest:
            raise InvalidSettings(f"{self.path}/{rest[0]}: the offline AWS does not support this setting")


def _address(settings: _Settings, name: str) -> Address:
    value = str(settings.need(name))
    found = _S3.match(value)
    if found is None or "$" in value:
        raise InvalidSettings(
            f"{settings.path}/{name}: should be s3://BUCKET/KEY without format identifiers; got {value}"
        )
    return Address(found[1], found[2])


def _input(read: _Settings) -> tuple[Address, dict[str, int]]:
    """The file, and the number of the audio track (from 0) that each selector chooses."""
    source = _address(read, "fileInput")
    selectors = read.under("audioSelectors")
    tracks: dict[str, int] = {}
    for name in selectors.value:
        selector = selectors.under(name)
        chosen = selector.take("tracks", [1])
        if len(chosen) != 1:
            raise InvalidSettings(f"{selector.path}/tracks: the offline AWS takes one track a selector")
        tracks[name] = int(chosen[0]) - 1
        selector.only("selectorType", "TRACK")
        selector.only("offset", 0)
        selector.without_effect("defaultSelection", "programSelection", "audioDurationCorrection")
        selector.done()
    video = read.under("videoSelector")
    video.only("rotate", "DEGREE_0", "AUTO")
    video.only("colorSpace", "FOLLOW")
    video.only("alphaBehavior", "DISCARD")
    video.without_effect("colorSpaceUsage", "embeddedTimecodeOverride")
    video.done()
    read.only("deblockFilter", "DISABLED")
    read.only("denoiseFilter", "DISABLED")
    read.only("inputScanType", "AUTO")
    read.without_effect("filterEnable", "filterStrength", "psiControl", "timecodeSource", "timecodeStart")
    read.done()
    return source, tracks


def _group(
    read: _Settings, source: Address, tracks: Mapping[str, int], presets: Mapping[str, Mapping[str, Any]]
) -> Group:
    read.without_effect("name", "customName")
    settings = read.under("outputGroupSettings")
    kind = settings.one_of("type", ("FILE_GROUP_SETTINGS", "HLS_GROUP_SETTINGS"))
    own = settings.under("hlsGroupSettings" if kind == "HLS_GROUP_SETTINGS" else "fileGroupSettings")
    destination = _address(own, "destination")
    folder, _, name = destination.key.rpartition("/")
    base = name or PurePosixPath(source.key).stem
    length = _hls(own) if kind == "HLS_GROUP_SETTINGS" else 0
    own.done()
    settings.done()
    outputs = tuple(
        _output(_with_preset(each, presets), base, tracks, length) for each in read.each("outputs")
    )
    read.done()
    names = {output.main_file for output in outputs} | ({f"{base}.m3u8"} if length else set())
    if not outputs or len(names) < len(outputs) + bool(length):
        raise InvalidSettings(f"{read.path}/outputs: should have outputs with different nameModifiers")
    at = Address(destination.bucket, f"{folder}/" if folder else "")
    return Group("HLS_GROUP" if length else "FILE_GROUP", at, base, outputs, length)


def _hls(read: _Settings) -> int:
    """The segments' length in seconds."""
    length = read.number("segmentLength", 10)
    if length < 1:
        raise InvalidSettings(f"{read.path}/segmentLength: should be at least 1")
    read.only("segmentControl", "SEGMENTED_FILES")
    read.only("directoryStructure", "SINGLE_DIRECTORY")
    read.only("manifestCompression", "NONE")
    read.only("outputSelection", "MANIFESTS_AND_SEGMENTS")
    read.only("programDateTime", "EXCLUDE")
    read.only("imageBasedTrickPlay", "NONE")
    read.only("audioOnlyHeader", "INCLUDE", "EXCLUDE")
    read.without_effect(*_HLS_WITHOUT_EFFECT)
    return length


def _with_preset(read: _Settings, presets: Mapping[str, Mapping[str, Any]]) -> _Settings:
    """An output completed by the preset that it names."""
    name = read.take("preset", "")
    if not name:
        return read
    found = presets.get(str(name).rpartition("/")[2])
    if found is None:
        raise InvalidSettings(f"{read.path}/preset: there is no preset {name}")
    return _Settings(
        {**found, **{key: value for key, value in read.value.items() if key != "preset"}}, read.path
    )


def _output(read: _Settings, base: str, tracks: Mapping[str, int], segment_seconds: int) -> Output:
    modifier = _modifier(read, "nameModifier")
    container = read.under("containerSettings")
    kinds: dict[str, Kind] = {"M3U8": "hls"} if segment_seconds else {"MP4": "mp4", "RAW": "frames"}
    kind = kinds[container.one_of("container", tuple(kinds))]
    container.without_effect("m3u8Settings", "mp4Settings")
    container.done()
    description = read.take("videoDescription")
    if description is None and kind != "mp4":
        raise InvalidSettings(f"{read.path}: the offline AWS needs a videoDescription in this output")
    video, filters = _video(read.under("videoDescription"), kind) if description else ((), ())
    audio = tuple(_audio(each, tracks) for each in read.each("audioDescriptions"))
    if kind == "frames" and audio:
        raise InvalidSettings(f"{read.path}/audioDescriptions: frame capture has no audio")
    if not description and not audio:
        raise InvalidSettings(f"{read.path}: should have a videoDescription or audioDescriptions")
    own = read.under("outputSettings").under("hlsSettings")
    segment = base + modifier + _modifier(own, "segmentModifier")
    own.only("iFrameOnlyManifest", "EXCLUDE")
    # With picture and sound in one stream, these concern no rendition of their own.
    own.without_effect("audioGroupId", "audioOnlyContainer", "audioRenditionSets", "audioTrackType")
    own.without_effect("descriptiveVideoServiceFlag")
    own.done()
    extension = str(read.take("extension", {"mp4": "mp4", "hls": "m3u8", "frames": "jpg"}[kind]))
    if kind == "hls" and extension != "m3u8":
        raise InvalidSettings(f"{read.path}/extension: the offline AWS does not support {extension} in HLS")
    read.done()
    return Output(kind, base + modifier, extension, video, audio, filters, segment)


def _modifier(read: _Settings, name: str) -> str:
    value = str(read.take(name, ""))
    if "$" in value or "/" in value:
        raise InvalidSettings(f"{read.path}/{name}: the offline AWS does not support format identifiers")
    return value


def _video(read: _Settings, kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """ffmpeg's options for the encoder, and the filters before it."""
    width, height = read.number("width", 0), read.number("height", 0)
    for name, size in (("width", width), ("height", height)):
        if size and (size < 32 or size > 8192 or size % 2):
            raise InvalidSettings(f"{read.path}/{name}: should be an even number from 32 to 8192")
    behaviour = read.one_of("scalingBehavior", ("DEFAULT", "FIT", "STRETCH_TO_OUTPUT"), "DEFAULT")
    codec = read.under("codecSettings")
    if kind == "frames":
        codec.one_of("codec", ("FRAME_CAPTURE",))
        encoder, rate = _frame_capture(codec.under("frameCaptureSettings"))
    else:
        codec.one_of("codec", ("H_264",))
        encoder, rate = _h264(codec.under("h264Settings"))
    codec.done()
    read.only("colorMetadata", "INSERT", "IGNORE")
    read.only("respondToAfd", "NONE")
    read.only("afdSignaling", "NONE")
    read.without_effect(
        "antiAlias",
        "chromaPositionMode",
        "dropFrameTimecode",
        "sharpness",
        "timecodeInsertion",
        "timecodeTrack",
    )
    read.done()
    return encoder, (*rate, *_scaling(width, height, stretch=behaviour == "STRETCH_TO_OUTPUT"))


def _scaling(width: int, height: int, *, stretch: bool) -> tuple[str, ...]:
    """With both sides given the picture is fitted in and padded, unless it is to be stretched."""
    if not width and not height:
        return ()
    if not (width and height) or stretch:
        return (f"scale={width or -2}:{height or -2}",)
    return (
        f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2",
        f"pad={width}:{height}:-1:-1",
        "setsar=1",
    )


def _h264(read: _Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    options = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    options += ["-profile:v", _PROFILES[read.one_of("codecProfile", tuple(_PROFILES), "MAIN")]]
    mode = read.one_of("rateControlMode", ("CBR", "VBR", "QVBR"), "VBR")
    if mode == "QVBR":
        quality = read.under("qvbrSettings")
        level = quality.number("qvbrQualityLevel", 7)  # 1 to 10, the best
        quality.without_effect("qvbrQualityLevelFineTune", "maxAverageBitrate")
        quality.done()
        peak = read.number("maxBitrate")
        options += ["-crf", str(36 - 2 * level)]
    else:
        average = read.number("bitrate")
        peak = average if mode == "CBR" else read.number("maxBitrate", round(average * _OVERHEAD))
        options += ["-b:v", str(average), *(["-minrate", str(average)] if mode == "CBR" else [])]
    buffer = read.number("hrdBufferSize", 0) or 2 * peak
    options += ["-maxrate", str(peak), "-bufsize", str(buffer)]
    options += _group_of_pictures(read)
    rate = _frame_rate(read)
    read.only("interlaceMode", "PROGRESSIVE")
    read.only("parControl", "INITIALIZE_FROM_SOURCE")
    read.only("telecine", "NONE")
    read.only("slowPal", "DISABLED")
    read.only("syntax", "DEFAULT")
    read.only("unregisteredSeiTimecode", "DISABLED")
    read.only("endOfStreamMarkers", "INCLUDE", "SUPPRESS")
    read.without_effect(*_H264_WITHOUT_EFFECT, "parNumerator", "parDenominator")
    read.done()
    return tuple(options), rate


def _group_of_pictures(read: _Settings) -> list[str]:
    unit = read.one_of("gopSizeUnits", ("FRAMES", "SECONDS", "AUTO"), "FRAMES")
    size = float(read.take("gopSize", 0))
    if unit == "AUTO" or size <= 0:
        return []
    return (
        ["-g", f"{size:.0f}"] if unit == "FRAMES" else ["-force_key_frames", f"expr:gte(t,n_forced*{size:g})"]
    )


def _frame_rate(read: _Settings) -> tuple[str, ...]:
    control = read.one_of(
        "framerateControl", ("INITIALIZE_FROM_SOURCE", "SPECIFIED"), "INITIALIZE_FROM_SOURCE"
    )
    if control == "SPECIFIED":
        return (f"fps={read.number('framerateNumerator')}/{read.number('framerateDenominator', 1)}",)
    read.without_effect("framerateNumerator", "framerateDenominator")
    return ()


def _frame_capture(read: _Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A frame at the start, and then as often as the rate says."""
    rate = f"{read.number('framerateNumerator', 1)}/{read.number('framerateDenominator', 1)}"
    quality = read.number("quality", 80)  # 1 to 100, the best; in JPEG's encoder 31 to 2
    most = read.number("maxCaptures", 10_000_000)
    read.done()
    options = ("-c:v", "mjpeg", "-frames:v", str(most), "-q:v", str(round(31 - 29 * quality / 100)))
    return options, (f"fps={rate}:round=up",)


def _audio(read: _Settings, tracks: Mapping[str, int]) -> tuple[int, tuple[str, ...]]:
    """The number of the input's track, and ffmpeg's options for the encoder."""
    name = str(read.take("audioSourceName", next(iter(tracks), "")))
    if name and name not in tracks:
        raise InvalidSettings(f"{read.path}/audioSourceName: there is no audio selector {name}")
    codec = read.under("codecSettings")
    codec.one_of("codec", ("AAC",))
    aac = codec.under("aacSettings")
    channels = _CHANNELS[aac.one_of("codingMode", tuple(_CHANNELS), "CODING_MODE_2_0")]
    bitrate, sample_rate = aac.number("bitrate", 96_000), aac.number("sampleRate", 48_000)
    aac.only("codecProfile", "LC")
    aac.only("rawFormat", "NONE")
    aac.without_effect("audioDescriptionBroadcasterMix", "rateControlMode", "specification", "vbrQuality")
    aac.done()
    codec.done()
    read.only("audioTypeControl", "FOLLOW_INPUT")
    read.only("languageCodeControl", "FOLLOW_INPUT")
    read.without_effect("audioType", "languageCode", "streamName")
    read.done()
    options = ("-c:a", "aac", "-b:a", str(bitrate), "-ar", str(sample_rate), "-ac", str(channels))
    return tracks.get(name, 0), options


def _output_arguments(output: Output, group: Group, folder: PurePosixPath) -> list[str]:
    found: list[str] = []
    if output.video:
        found += ["-map", "0:v:0"]
    for track, _ in output.audio:
        found += ["-map", f"0:a:{track}?"]  # an input without sound makes outputs without
    filters = ",".join(output.filters)
    found += [*(["-filter:v", filters] if filters else []), *output.video]
    for _, options in output.audio:
        found += options
    if output.kind == "mp4":
        return [*found, "-movflags", "+faststart", "-f", "mp4", str(folder / output.main_file)]
    if output.kind == "frames":
        pattern = str(folder / f"{_literal(output.name)}.%07d.{output.extension}")
        return [*found, "-f", "image2", "-start_number", "0", pattern]
    # Segments begin with a key frame, whatever the groups of pictures are.
    if "-force_key_frames" not in found:
        found += ["-force_key_frames", f"expr:gte(t,n_forced*{group.segment_seconds})"]
    found += ["-f", "hls", "-hls_time", str(group.segment_seconds), "-hls_list_size", "0"]
    found += ["-hls_playlist_type", "vod", "-hls_flags", "independent_segments", "-start_number", "1"]
    segments = str(folder / f"{_literal(output.segment)}_%05d.ts")
    return [*found, "-hls_segment_filename", segments, str(folder / output.main_file)]


def _literal(name: str) -> str:
    return name.replace("%", "%%")
