"""ffmpeg behind MediaConvert: a static build that comes with the package `imageio-ffmpeg`, run as a child process.

It is no server: a `Run` is one run of the program, and ends with the process group of the offline AWS at the latest.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workbench.errors import Misuse

LONGEST_RUN = 3600.0  # seconds
LONGEST_PROBE = 60.0
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_STREAM = re.compile(r"^\s*Stream #\d+:\d+.*?: (Video|Audio): (\w+)(.*)$", re.MULTILINE)
_SIZE = re.compile(r"\b(\d{2,5})x(\d{2,5})\b")
_FRAME_RATE = re.compile(r"([\d.]+) fps\b")


class FfmpegFailed(Exception):
    """ffmpeg could not do it; its text is the last thing that it said."""


@dataclass(frozen=True)
class Media:
    """What a file holds: `seconds` long (0 where it does not say), size and rate of its first picture track."""

    seconds: float
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    video_codec: str = ""
    audio_codecs: tuple[str, ...] = ()


@cache
def executable() -> str:
    """The path of ffmpeg. Raises `Misuse` where the package is not installed."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise Misuse("MediaConvert needs ffmpeg, which is not installed: run `make setup-dev`") from None
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def probe(file: Path) -> Media:
    """What `file` holds. Raises `FfmpegFailed` when it is no media."""
    command = [executable(), "-nostdin", "-hide_banner", "-i", str(file)]
    try:
        # Without an output it describes the input, and then ends with an error.
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=LONGEST_PROBE
        )
    except subprocess.TimeoutExpired:
        raise FfmpegFailed(f"the file was not understood within {LONGEST_PROBE:.0f} s") from None
    if "Input #0" not in done.stderr:
        raise FfmpegFailed(_reason(done.stderr))
    return media_of(done.stderr)


def media_of(description: str) -> Media:
    """What ffmpeg's description of its first input says."""
    streams = _STREAM.findall(description)
    duration = _DURATION.search(description)
    hours, minutes, seconds = (float(each) for each in duration.groups()) if duration else (0.0, 0.0, 0.0)
    video = next(((codec, rest) for kind, codec, rest in streams if kind == "Video"), ("", ""))
    size, rate = _SIZE.search(video[1]), _FRAME_RATE.search(video[1])
    return Media(
        seconds=hours * 3600 + minutes * 60 + seconds,
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
        frame_rate=float(rate[1]) if rate else 0.0,
        video_codec=video[0],
        audio_codecs=tuple(codec for kind, codec, _ in streams if kind == "Audio"),
    )


class Run:
    """One run of ffmpeg with `arguments`, in `folder`; `log_file` takes what it says."""

    def __init__(self, arguments: Sequence[str], folder: Path, log_file: Path) -> None:
        self._log_file = log_file
        with open(log_file, "wb") as log:
            self._process = subprocess.Popen(
                [
                    executable(),
                    "-nostdin",
                    "-hide_banner",
                    "-y",
                    "-nostats",
                    "-progress",
                    "pipe:1",
                    *arguments,
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it at once; `wait` then fails."""
        self._process.kill()

    def wait(self, on_progress: Callable[[float], None]) -> None:
        """Return when it is done; `on_progress` is told how many seconds of the input it has come.

        Raises `FfmpegFailed` when it fails, is killed, or takes longer than `LONGEST_RUN`.
        """
        assert self._process.stdout is not None
        limit = threading.Timer(LONGEST_RUN, self.kill)
        limit.daemon = True
        limit.start()
        try:
            for line in self._process.stdout:
                name, _, value = line.strip().partition("=")
                if name == "out_time_us" and value.isdecimal():
                    on_progress(int(value) / 1e6)
            status = self._process.wait()
        finally:
            limit.cancel()
            self._process.stdout.close()
        if status != 0:
            raise FfmpegFailed(_reason(self._log_file.read_text(errors="replace")))


def _reason(said: str) -> str:
    """The line of ffmpeg's words that says what is wrong: the last, without the module's address."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return re.sub(r"^\[[^\]]*\]\s*", "", lines[-1]) if lines else "ffmpeg ended without a word"
