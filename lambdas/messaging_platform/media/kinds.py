"""The types of media that may be sent, how each begins, and how a browser is told to show it. Pure.

What a file begins with: WHATWG's "MIME Sniffing" (images, video, PDF); RFC 3533 and RFC 7845 (Ogg, and Opus in it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES = 64  # how much of a file `agrees` has to see

Mark = tuple[int, bytes]  # at this offset, these bytes


@dataclass(frozen=True)
class Kind:
    """`marks`: one of these lists of marks is there, all of it; an empty list is anything. `inline`: safe to show."""

    marks: tuple[tuple[Mark, ...], ...]
    inline: bool = True


_ISO_MEDIA = (((4, b"ftyp"),),)
_OGG = (((0, b"OggS\0"),),)
KINDS: Mapping[str, Kind] = {
    "image/jpeg": Kind((((0, b"\xff\xd8\xff"),),)),
    "image/png": Kind((((0, b"\x89PNG\r\n\x1a\n"),),)),
    "image/webp": Kind((((0, b"RIFF"), (8, b"WEBPVP8")),)),
    "image/gif": Kind((((0, b"GIF87a"),), ((0, b"GIF89a"),))),
    "video/mp4": Kind(_ISO_MEDIA),
    "audio/mp4": Kind(_ISO_MEDIA),
    "audio/ogg": Kind(_OGG),
    "audio/opus": Kind((((0, b"OggS\0"), (28, b"OpusHead")),)),
    "application/pdf": Kind((((0, b"%PDF-"),),), inline=False),  # a PDF can hold programs
    "application/octet-stream": Kind(((),), inline=False),
}


def agrees(type_: str, head: bytes) -> bool:
    """Whether a file with these first `HEAD_BYTES` (or all bytes of a shorter one) can be of this type."""
    kind = KINDS.get(type_)
    return kind is not None and any(
        all(head[at : at + len(mark)] == mark for at, mark in marks) for marks in kind.marks
    )


def is_image(type_: str) -> bool:
    return type_.startswith("image/")


def disposition(type_: str) -> str:
    """`Content-Disposition`: shown in place, or only ever saved."""
    return "inline" if KINDS[type_].inline else "attachment"
