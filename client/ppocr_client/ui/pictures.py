"""Pictures in formats that every browser shows."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from PIL import Image, ImageOps

from ppocr_client.documents.pictures import encode_pillow
from ppocr_client.errors import ImageError

SHOWN = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"BM": "image/bmp",
    b"RIFF": "image/webp",
}
TIFF = (b"II*\0", b"MM\0*")
THUMBNAIL = 240  # pixels of the longer side


def is_picture(head: bytes) -> bool:
    """Whether a file begins as a picture that can be shown."""
    return head.startswith((*SHOWN, *TIFF))


def shown(data: bytes) -> tuple[bytes, str]:
    """A picture and its media type; formats that browsers do not know become BMP or PNG.

    Raises:
        ImageError: If it is not a picture.
    """
    for magic, kind in SHOWN.items():
        if data.startswith(magic):
            return data, kind
    with _opened(data) as image:
        return encode_pillow(image), "image/bmp"


def thumbnail(data: bytes) -> tuple[bytes, str]:
    """A small upright picture and its media type.

    Raises:
        ImageError: If it is not a picture.
    """
    file = io.BytesIO()
    with _opened(data) as image:
        image.draft("RGB", (2 * THUMBNAIL, 2 * THUMBNAIL))
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((THUMBNAIL, THUMBNAIL))
        upright.convert("RGBA").save(file, "WEBP")
    return file.getvalue(), "image/webp"


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"cannot show the picture: {error}") from error
