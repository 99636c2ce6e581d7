"""Pictures as arrays, Pillow images, files: what the server will decode is what was given."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ppocr_client.documents import pictures
from ppocr_client.documents.pictures import read_image
from ppocr_client.errors import ImageError

RNG = np.random.default_rng(0)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 33])
def test_arrays_survive_to_the_pixel_whatever_their_width(width):
    rgb = RNG.integers(0, 256, (7, width, 3), np.uint8)
    gray = rgb[..., 0]
    assert np.array_equal(decoded(read_image(rgb, "RGB")), rgb)
    assert np.array_equal(decoded(read_image(rgb[..., ::-1], "BGR")), rgb)
    assert np.array_equal(decoded(read_image(gray)), gray)
    assert np.array_equal(decoded(read_image(gray[..., None])), gray)


def test_transparency_is_kept():
    rgba = RNG.integers(0, 256, (5, 6, 4), np.uint8)
    assert np.array_equal(decoded(read_image(rgba, "RGB")), rgba)
    assert np.array_equal(decoded(read_image(rgba[..., [2, 1, 0, 3]], "BGR")), rgba)


@pytest.mark.parametrize("shape", [(40, 50, 3), (40, 50)])
def test_what_is_too_large_for_bmp_becomes_png(monkeypatch, shape):
    monkeypatch.setattr(pictures, "MAX_BMP_BYTES", 4096 + 3 * 40 * 50 - 1)
    pixels = RNG.integers(0, 256, shape, np.uint8)
    data = read_image(pixels, "RGB")
    assert data.startswith(b"\x89PNG")
    assert np.array_equal(decoded(data), pixels)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 4, 3), np.float32), "float32; give uint8"),
        (np.zeros((4, 4, 2), np.uint8), r"shape is \(4, 4, 2\)"),
        (np.zeros((4, 0), np.uint8), "no pixels"),
        (np.zeros((4, 4, 3), np.uint8), "give colour='BGR'"),
    ],
)
def test_an_array_that_is_no_picture_says_why(array, reason):
    with pytest.raises(ImageError, match=reason):
        read_image(array)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("missing.jpg", r"missing\.jpg: No such file"),
        (".", "Is a directory"),
        (b"", "the picture is empty"),
        (
            base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(99)),
            "picture is base64 text; give the file's",
        ),
        ("data:image/png;base64," + "iVBORw0KGgo" * 9, "the path is base64 text"),
        ("/9j/4AAQ" + "A" * 300, "the path is base64 text; .* base64.b64decode"),
    ],
)
def test_what_holds_no_picture_says_why(image, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageError, match=reason):
        read_image(image)


def test_colour_is_for_arrays_and_other_types_are_none():
    with pytest.raises(ImageError, match="is for arrays; a bytes knows its own"):
        read_image(b"x", "RGB")
    with pytest.raises(TypeError, match="image is int"):
        read_image(7)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "CMYK", "LA"])
def test_pillow_images_of_every_mode(mode):
    image = Image.fromarray(RNG.integers(0, 2, (6, 7, 3), np.uint8) * 255).convert(mode)
    kind = "RGBA" if mode in ("RGBA", "LA") else "RGB"
    sent = Image.open(io.BytesIO(read_image(image))).convert(kind)
    assert np.array_equal(np.asarray(sent), np.asarray(image.convert(kind)))


def test_a_pillow_image_is_brought_upright_and_16_bits_become_8():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (30, 20)).save(file, "JPEG", exif=exif)
    assert decoded(read_image(Image.open(file))).shape == (30, 20, 3)
    deep = Image.fromarray(np.array([[0, 0x1234, 0xFFFF]], np.uint16))
    assert decoded(read_image(deep)).tolist() == [[0, 0x12, 0xFF]]


def test_file_objects_are_read_from_where_they_stand(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"headPICTURE")
    with path.open("rb") as file:
        file.seek(4)
        assert read_image(file) == b"PICTURE"
        with pytest.raises(ImageError, match=r"a\.bin is empty"):
            read_image(file)
    with path.open() as file, pytest.raises(TypeError, match="binary mode"):
        read_image(file)
