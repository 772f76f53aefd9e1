"""Where price files come from: AWS's public address, or a folder in which somebody saved them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from workbench.errors import Misuse
from workbench.price_files.offers import UnreadablePriceFile
from workbench.price_files.selectors import OfferFile

ADDRESS = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws"
TIMEOUT_SECONDS = 60
CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_ABSENT = (403, 404)  # S3, which serves the files, answers 403 for what is not there
_BROKEN = (OSError, EOFError, zlib.error, HTTPException)

OnBytes = Callable[[int, int | None], None]
"""Told how many bytes of a file have come, and of how many, where that is known."""


class NoSuchPriceFile(Exception):
    """A service has no price file at this place: AWS doesn't sell it there, or nobody saved the file."""


class Origin(Protocol):
    """Opens price files as text. Entering raises `NoSuchPriceFile` or `UnreadablePriceFile`; reading the latter."""

    def name_of(self, file: OfferFile) -> str:
        """What a message calls `file`."""

    def open(self, file: OfferFile, on_bytes: OnBytes) -> AbstractContextManager[io.TextIOBase]:
        """`file`, decompressed where it was not plain."""


class Aws:
    """AWS's own files, fetched as they are read; through the proxy of the environment, where there is one."""

    def __init__(self, address: str = ADDRESS) -> None:
        self.address = address

    def name_of(self, file: OfferFile) -> str:
        """The address of `file`."""
        return f"{self.address}/{file.offer}/current/{file.place}/index.csv"

    @contextmanager
    def open(self, file: OfferFile, on_bytes: OnBytes) -> Iterator[io.TextIOBase]:
        """Fetch `file`."""
        address = self.name_of(file)
        request = Request(address, headers={"Accept-Encoding": "gzip"})  # noqa: S310 (never a file's address)
        with _explained(f"could not reach {address}"):
            try:
                answer = urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
            except HTTPError as error:
                error.close()
                if error.code in _ABSENT:
                    raise NoSuchPriceFile from None
                raise
        with _explained(f"could not read {address}"), answer:
            yield _as_text(_Counted(answer, _length(answer), on_bytes))


class Folder:
    """Files that were saved as `AmazonEC2-us-east-1.csv`, or with `.gz` after it."""

    def __init__(self, path: Path) -> None:
        """Raises `Misuse` where there is no such folder."""
        self.path = path
        if not path.is_dir():
            raise Misuse(f"{path} is no folder; --from takes one with files saved as AmazonEC2-us-east-1.csv")

    def name_of(self, file: OfferFile) -> str:
        """The path of `file`, uncompressed."""
        return str(self.path / f"{file.name}.csv")

    @contextmanager
    def open(self, file: OfferFile, on_bytes: OnBytes) -> Iterator[io.TextIOBase]:
        """Open `file`."""
        plain = Path(self.name_of(file))
        path = next((each for each in (plain, plain.with_suffix(".csv.gz")) if each.is_file()), None)
        if path is None:
            raise NoSuchPriceFile
        with _explained(f"could not read {path}"), path.open("rb") as saved:
            yield _as_text(_Counted(saved, path.stat().st_size, on_bytes))


class _Counted(io.RawIOBase):
    """Bytes that are counted as they come. Raises `EOFError` where fewer come than were announced."""

    def __init__(self, body: Any, expected: int | None, on_bytes: OnBytes) -> None:
        self._body, self._expected, self._on_bytes = body, expected, on_bytes
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._body.read(min(len(buffer), CHUNK_BYTES))
        buffer[: len(chunk)] = chunk
        self._count += len(chunk)
        if not chunk and self._expected is not None and self._count < self._expected:
            raise EOFError(f"it ended after {self._count:,} of {self._expected:,} bytes")
        self._on_bytes(self._count, self._expected)
        return len(chunk)


def _as_text(raw: io.RawIOBase) -> io.TextIOBase:
    """The text behind `raw`, which may be compressed, whatever its name or its headers say."""
    stream = io.BufferedReader(raw, CHUNK_BYTES)
    plain = gzip.GzipFile(fileobj=stream) if stream.peek(2)[:2] == _GZIP else stream
    return io.TextIOWrapper(plain, encoding="utf-8", newline="")


def _length(answer: HTTPResponse) -> int | None:
    said = answer.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() else None


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn whatever breaks while a file is fetched or read into the one line that says so."""
    try:
        yield
    except _BROKEN as error:
        reason = getattr(error, "reason", None) or error
        why = str(reason) or type(reason).__name__
        raise UnreadablePriceFile(f"{what}: {why}; the prices stay as they are") from None
