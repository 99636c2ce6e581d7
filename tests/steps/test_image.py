"""Decoding: every format, orientation and transparency; damage and limits refused."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from ppocr_pipeline import decode as image
from ppocr_pipeline.limits import Limits

LEFT_RED = np.zeros((40, 60, 3), np.uint8)  # BGR; red on the left, blue on the right
LEFT_RED[:, :30, 2] = 255
LEFT_RED[:, 30:, 0] = 255


def encoded(pixels, suffix, *flags):
    return cv2.imencode(suffix, pixels, flags)[1].tobytes()


def saved(picture, image_format, **options):
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".jpg", ".webp"])
def test_every_format(suffix):
    pixels = image.decode_image(encoded(LEFT_RED, suffix))
    assert pixels.shape == (40, 60, 3)
    assert np.abs(pixels[20, 10].astype(int) - [0, 0, 255]).max() < 12
    assert np.abs(pixels[20, 50].astype(int) - [255, 0, 0]).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_brought_upright(orientation):
    upright = Image.fromarray(LEFT_RED[..., ::-1])
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG"):
        pixels = image.decode_image(saved(stored, kind, exif=exif, quality=95))
        assert pixels.shape == (40, 60, 3)
        assert pixels[20, 10, 2] > 200
        assert pixels[20, 50, 0] > 200


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "I;16"])
def test_gray_palette_cmyk_and_16_bits(mode):
    if mode == "I;16":
        data = encoded(np.full((10, 10), 30_000, np.uint16), ".png")
    else:
        picture = Image.new("L", (10, 10), 128).convert(mode)
        data = saved(picture, "JPEG" if mode == "CMYK" else "PNG")
    pixels = image.decode_image(data)
    assert pixels.shape == (10, 10, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize(("ink", "behind"), [(0, 255), (255, 0)])
def test_text_on_a_transparent_ground_stays_visible(ink, behind):
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[15:25, 10:50] = (ink, ink, ink, 255)
    flat = image.decode_image(encoded(pixels, ".png"))
    assert (flat[20, 30] == ink).all()
    assert (flat[0, 0] == behind).all()


def test_gray_with_alpha_and_palette_transparency():
    gray_alpha = Image.new("LA", (8, 8), (0, 0))
    assert (image.decode_image(saved(gray_alpha, "PNG")) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 255, 255, 255])
    assert (image.decode_image(saved(palette, "PNG", transparency=0)) == 255).all()


@pytest.mark.parametrize("keep", [0.3, 0.9])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
def test_truncated_files_are_refused(suffix, keep):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(noise, suffix)
    with pytest.raises(ValueError, match=r"^IMAGE (is a damaged or truncated|cannot be decoded)"):
        image.decode_image(data[: int(len(data) * keep)])


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", bytes(1000)]
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValueError, match=r"^IMAGE (is empty|cannot be decoded|is a damaged)"):
        image.decode_image(data)


def test_a_gif_is_named_as_not_allowed():
    with pytest.raises(ValueError, match="none of JPEG, PNG, BMP, WEBP, TIFF"):
        image.decode_image(saved(Image.new("L", (4, 4)), "GIF"))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_image_bytes": 100}, r"bytes; allowed: max_image_bytes 100"),
        ({"max_image_side": 59}, r"60x40 .*allowed: max_image_side 59"),
        ({"max_image_pixels": 2399}, r"60x40 .*, 2400 pixels; allowed: max_image_pixels 2399"),
    ],
)
def test_limits_name_themselves_and_what_was_got(limits, reason):
    with pytest.raises(ValueError, match=reason):
        image.decode_image(encoded(LEFT_RED, ".bmp"), Limits(**limits))


def test_limits_come_from_the_configuration():
    limits = Limits.from_parameters({"max_image_side": "77", "drop_score": "0.5"})
    assert limits == Limits(max_image_side=77)
