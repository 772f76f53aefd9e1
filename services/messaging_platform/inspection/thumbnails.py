"""Thumbnails of images, made by Pillow, from files that nobody vouches for."""

from __future__ import annotations

import threading
import warnings
from io import BytesIO

LONGER_SIDE = 320  # pixels
MOST_PIXELS = 40_000_000  # 160 MB when decoded with transparency
QUALITY = 80
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
# One image is decoded at a time: that is the memory that a pod must have.
_DECODING = threading.Lock()


class TooManyPixels(Exception):
    """A small file that would fill the memory of whoever opens it."""


def make(type_: str, data: bytes) -> bytes | None:
    """A JPEG of at most `LONGER_SIDE` pixels a side, of the first frame, turned as its EXIF says, and without EXIF.

    None where the image cannot be decoded. Raises `TooManyPixels`, having decoded nothing.
    """
    with _DECODING:
        return _make(_FORMATS[type_], data)


def _make(format_: str, data: bytes) -> bytes | None:
    from PIL import Image, ImageOps

    # Pillow warns from 89 million pixels on, and the log is JSON.
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    try:
        with Image.open(BytesIO(data), formats=[format_]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise TooManyPixels
            image.thumbnail((LONGER_SIDE, LONGER_SIDE))
            turned = ImageOps.exif_transpose(image).convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels from None
    except TooManyPixels:
        raise
    except Exception:  # a decoder raises whatever a broken file makes of it
        return None
    # A new image, with nothing of what the old one carries: EXIF, comments, colour profiles.
    small = Image.new("RGB", turned.size, "white")
    small.paste(turned, mask=turned.getchannel("A"))
    made = BytesIO()
    small.save(made, "JPEG", quality=QUALITY, optimize=True)
    return made.getvalue()
