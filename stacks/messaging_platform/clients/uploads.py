"""What an app does with media: it uploads in parts, goes on where it was cut off, and fetches by a signed address."""

from __future__ import annotations

import base64
import hashlib
import random
import struct
import zlib
from functools import cache
from typing import Any

from stacks.messaging_platform.clients.device import Person
from workbench.dryrun.world import World

WIDTH, HEIGHT = 2_400, 1_500  # of noise, which nothing compresses: two parts


@cache
def photograph() -> bytes:
    """A PNG of 11 MB, the same every time (PNG specification, third edition, sections 5 and 11)."""
    noise = random.Random(1)  # noqa: S311 (no secret is made of it)
    rows = b"".join(b"\0" + noise.randbytes(WIDTH * 3) for _ in range(HEIGHT))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, level=0))
        + chunk(b"IEND", b"")
    )


def infected() -> bytes:
    """The EICAR test file, which every scanner finds and nobody is harmed by. In two parts, or this file were one."""
    return rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Uploader:
    """A person's uploads into one chat, and what they fetch."""

    def __init__(self, world: World, person: Person, chat: str) -> None:
        self._world = world
        self._person = person
        self._chat = chat

    def upload(self, data: bytes, kind: str, *, cut_off_after: int | None = None) -> str:
        """Upload `data` and return its media id. Cut off after so many parts, it goes on from what S3 has."""
        media, part_bytes = self._begin(data, kind)
        if cut_off_after is not None:
            self._send_parts(media, data, part_bytes, cut_off_after)
            arrived = self._parts(media)["arrived"]
            assert [part["number"] for part in arrived] == list(range(1, cut_off_after + 1))
        self._send_parts(media, data, part_bytes)
        for _ in range(2):  # again is the same
            answer = self._person.post(f"/media/{media}/complete", {})
            assert answer.status == 200, answer.text
        return media

    def begin(self, data: bytes, kind: str) -> str:
        """Begin an upload, and send nothing."""
        return self._begin(data, kind)[0]

    def give_up(self, data: bytes, kind: str) -> str:
        """Begin an upload, send one part, and give it up."""
        media, part_bytes = self._begin(data, kind)
        self._send_parts(media, data, part_bytes, 1)
        answer = self._person.delete(f"/media/{media}")
        assert answer.status == 204, answer.text
        return media

    def wait_until(self, media: str, state: str) -> None:
        """Wait until the inspection has come to that."""

        def there() -> bool:
            found = self._person.get(f"/media/{media}").json()
            assert found["state"] == state, found
            return True

        self._world.eventually(there, within=60, what=f"{media} is {state}")

    def fetch(self, media: str, what: str = "url") -> bytes:
        """The object, or its thumbnail, from the edge."""
        answer = self._person.get(f"/media/{media}")
        assert answer.status == 200, answer.text
        found = self._world.http.get(answer.json()[what])
        assert found.status == 200, found.status
        return found.body

    def _begin(self, data: bytes, kind: str) -> tuple[str, int]:
        begun = self._person.post(
            "/media",
            {
                "chat": self._chat,
                "size": len(data),
                "type": kind,
                "sha256": hashlib.sha256(data).hexdigest(),
            },
        )
        assert begun.status == 201, begun.text
        return str(begun.json()["media"]), int(begun.json()["part_bytes"])

    def _parts(self, media: str) -> Any:
        answer = self._person.get(f"/media/{media}/parts")
        assert answer.status == 200, answer.text
        return answer.json()

    def _send_parts(self, media: str, data: bytes, part_bytes: int, most: int | None = None) -> None:
        for part in self._parts(media)["missing"][:most]:
            begin = (part["number"] - 1) * part_bytes
            piece = data[begin : begin + part_bytes]
            headers = {"Content-MD5": base64.b64encode(_md5(piece)).decode()}
            answer = self._world.http.put(part["url"], body=piece, headers=headers)
            assert answer.status == 200, answer.text


def _md5(piece: bytes) -> bytes:
    """What S3 compares a part with when it has come; the whole is held to its SHA-256."""
    return hashlib.md5(piece, usedforsecurity=False).digest()
