"""The header reader against Pillow, for every format and orientation."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageOps

from ppocr_client.documents.image_size import picture_size, tiff_pictures

FORMATS: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG"},
    "progressive": {"format": "JPEG", "progressive": True},
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP"},
    "webp-lossless": {"format": "WEBP", "lossless": True},
    "tiff": {"format": "TIFF"},
    "tiff-big-endian": {"format": "TIFF", "mode": "I;16B"},
    "bmp": {"format": "BMP"},
}


def encoded(kind: str, orientation: int) -> bytes:
    settings = dict(FORMATS[kind])
    mode, exif = settings.pop("mode", "RGB"), Image.Exif()
    if orientation > 1:
        exif[0x0112] = orientation
    file = io.BytesIO()
    Image.new(mode, (301, 123)).save(file, exif=exif, **settings)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", FORMATS)
def test_size_as_it_is_seen(kind, orientation):
    data = encoded(kind, orientation)
    assert data.startswith(b"MM") == (kind == "tiff-big-endian")
    assert picture_size(data) == ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size


@pytest.mark.parametrize("kind", FORMATS)
def test_no_cut_or_noise_is_more_than_an_unknown_size(kind):
    data = encoded(kind, 6)
    for length in range(0, min(400, len(data)), 3):
        picture_size(data[:length])
        tiff_pictures(data[:length])
    assert picture_size(b"no picture at all") is None
    assert picture_size(b"\xff\xd8" + b"\xff" * 50) is None


def test_pictures_of_a_tiff_are_counted():
    file = io.BytesIO()
    pages = [Image.new("L", (20 + i, 10)) for i in range(3)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    assert tiff_pictures(file.getvalue()) == 3
    assert tiff_pictures(encoded("tiff", 1)) == 1
    assert tiff_pictures(encoded("png", 1)) == 0
    # A directory that names itself as the next one has no end.
    loop = b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"
    assert tiff_pictures(loop) == 1
