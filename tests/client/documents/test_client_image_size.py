"""A picture's size before it is sent, against Pillow, and the pages of a TIFF file."""

import io

import pytest
from PIL import Image, ImageOps

from ppocr_client.documents.pictures import picture_size, tiff_pictures


def encoded(kind: str, orientation: int = 1, mode: str = "RGB") -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    if orientation > 1:
        exif[0x0112] = orientation
    Image.new(mode, (301, 123)).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_size_as_it_is_seen(kind, orientation):
    data = encoded(kind, orientation)
    seen = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size
    assert picture_size(data) == seen
    for length in range(0, min(400, len(data)), 3):  # what is cut is no more than unknown
        assert picture_size(data[:length]) in (None, seen)
        tiff_pictures(data[:length])


def test_noise_has_no_size():
    assert picture_size(b"no picture at all") is None
    assert picture_size(b"\xff\xd8" + b"\xff" * 50) is None


def test_pictures_of_a_tiff_are_counted():
    file = io.BytesIO()
    pages = [Image.new("L", (20 + i, 10)) for i in range(3)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    assert tiff_pictures(file.getvalue()) == 3
    big_endian = encoded("TIFF", 6, "I;16B")
    assert big_endian.startswith(b"MM")
    assert picture_size(big_endian) == (123, 301)
    assert tiff_pictures(big_endian) == tiff_pictures(encoded("TIFF")) == 1
    assert tiff_pictures(encoded("PNG")) == 0
    # A directory that names itself as the next one has no end.
    loop = b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"
    assert tiff_pictures(loop) == 1
