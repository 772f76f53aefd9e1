"""The hook for scanners: whatever looks at the bytes of an upload as they pass."""

from __future__ import annotations

from typing import Protocol

# The standard's 68 characters ("Anti-Malware Test File", EICAR). In two pieces, or scanners would find this file.
_TEST_FILE = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*").encode()


class Scan(Protocol):
    """The scan of one upload: fed all of it, piece by piece, then asked."""

    def feed(self, piece: bytes) -> None: ...

    def finding(self) -> str | None:
        """What was found, by its name, or None."""


class Scanner(Protocol):
    """Scans uploads, any number at once; one that cannot tell raises, and the upload is looked at again later.

    ClamAV: `begin` opens a connection to clamd beside the program and says INSTREAM, `feed` sends a piece with its
    length, `finding` sends the end and reads the answer. clamd wants memory for its signatures, over a gigabyte, and
    a StreamMaxLength of the largest upload.

    GuardDuty Malware Protection for S3 scans the bucket of uploads by itself, in its own time, and tags each object
    (GuardDutyMalwareScanStatus): `finding` reads the tag, and raises while there is none. It is paid by the gigabyte
    and the object, and the program needs `s3:GetObjectTagging`.
    """

    def begin(self, key: str, /) -> Scan:
        """A new scan, of the object `key` of the bucket of uploads."""


class EicarScanner:
    """Finds the EICAR test file, anywhere in an upload, and nothing else: it shows that the hook holds."""

    def begin(self, _key: str) -> Scan:
        return _EicarScan()


class _EicarScan:
    def __init__(self) -> None:
        self._end = b""  # of what was fed: the file may lie across two pieces
        self._found = False

    def feed(self, piece: bytes) -> None:
        window = self._end + piece
        self._found = self._found or _TEST_FILE in window
        self._end = window[-(len(_TEST_FILE) - 1) :]

    def finding(self) -> str | None:
        return "EICAR-Test-File" if self._found else None
