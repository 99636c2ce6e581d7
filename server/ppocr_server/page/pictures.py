"""Pictures in formats that every browser shows."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from PIL import Image, ImageOps

from ppocr_client.documents.pictures import encode_pillow
from ppocr_client.errors import ImageError
from ppocr_pipeline.formats import known_format

SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "BMP": "image/bmp", "WEBP": "image/webp"}
THUMBNAIL = 240  # pixels of the longer side


def shown(data: bytes) -> tuple[bytes, str]:
    """A picture and its media type; formats that browsers do not know become BMP or PNG.

    Raises:
        ImageError: If it is not a picture.
    """
    if kind := SHOWN.get(known_format(data) or ""):
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
