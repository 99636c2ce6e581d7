"""Files that are cut or lie about themselves are refused, never read by half."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pipeline.picture_files import jpeg_segment, png_chunk, saved

from ppocr_pipeline import decode as image
from ppocr_pipeline.header import PictureRefused

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
CLEAR = NOISE.copy()
CLEAR.putalpha(NOISE.convert("L"))


FILES = {
    "jpeg": saved(NOISE, "JPEG"),
    "jpeg progressive": saved(NOISE, "JPEG", progressive=True),
    "jpeg cmyk": saved(NOISE.convert("CMYK"), "JPEG"),
    "png": saved(NOISE, "PNG"),
    "png palette": saved(NOISE.convert("P"), "PNG"),
    "png alpha": saved(CLEAR, "PNG"),
    "webp": saved(NOISE, "WEBP"),
    "webp lossless": saved(NOISE, "WEBP", lossless=True),
    "webp alpha": saved(CLEAR, "WEBP"),
    **{f"bmp {mode}": saved(NOISE.convert(mode), "BMP") for mode in ("1", "P", "RGB")},
    **{
        f"tiff {compression}": saved(NOISE, "TIFF", compression=compression)
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    },
    **{
        f"tiff {compression}": saved(NOISE.convert("1"), "TIFF", compression=compression)
        for compression in ("group3", "group4")
    },
}


def refused(data):
    """Decode what must be refused as damaged; the message."""
    with pytest.raises(ValueError, match=r"^IMAGE (is a damaged or truncated|cannot be)") as said:
        image.decode_image(data)
    return str(said.value)


@pytest.mark.parametrize("name", FILES)
def test_no_file_that_is_cut_is_read_by_half(name):
    data = FILES[name]
    whole = image.decode_image(data)
    near_the_end = range(len(data) - 24, len(data))
    for end in {*range(0, len(data), max(1, len(data) // 40)), *near_the_end}:
        try:
            decoded = image.decode_image(data[:end])
        except PictureRefused:
            continue
        # A few bytes at the end of some formats say nothing of the picture.
        assert len(data) - end < 24
        assert np.array_equal(decoded, whole)


THUMBNAIL = jpeg_segment(0xE1, b"Exif\0\0" + saved(NOISE.resize((16, 16)), "JPEG"))
COMMENT = jpeg_segment(0xFE, b"\xff\xda\xff\xd9")


@pytest.mark.parametrize("extra", [THUMBNAIL, COMMENT])
def test_a_jpeg_cut_in_its_scan_has_not_the_end_of_a_thumbnail(extra):
    data = FILES["jpeg"][:2] + extra + FILES["jpeg"][2:]
    assert np.array_equal(image.decode_image(data), image.decode_image(FILES["jpeg"]))
    assert "it ends before its last row" in refused(data[:-500])
    assert "it ends before its last row" in refused(data[:-500] + b"\xff\xd9")
    assert np.array_equal(image.decode_image(data[:-2]), image.decode_image(FILES["jpeg"]))


PAGE = Image.new("RGB", (150, 90), "white")
ImageDraw.Draw(PAGE).text((10, 10), "no end\nmarker\n\nin it", "black", font_size=18)
JPEGS = {
    f"{name} {options}": saved(picture, "JPEG", **options)
    for name, picture in (("page", PAGE), ("gray", NOISE.convert("L")), ("noise", NOISE))
    for options in (
        {"optimize": True},
        {"progressive": True},
        {"restart_marker_blocks": 2},
        {"subsampling": 0, "quality": 95},
    )
    if name != "gray" or "subsampling" not in options
}


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_without_end_marker_is_read_when_no_row_is_missing(name):
    data = JPEGS[name]
    whole = image.decode_image(data)
    for tail in (b"", b"\xff", bytes(3), bytes(512)):
        assert np.array_equal(image.decode_image(data[:-2] + tail), whole)
    # Less than one block, a tenth of the noise, may be missing before an end marker.
    for missing in range(
        len(data) // 10, len(data) - data.index(b"\xff\xda") - 40, len(data) // 12
    ):
        cut = data[:-missing]
        for file in (cut, cut + b"\xff\xd9", cut + bytes(512)):
            refused(file)


def test_a_gray_corner_is_no_cut():
    flat = Image.new("RGB", (70, 50), (128, 128, 128))
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 2}):
        assert (image.decode_image(saved(flat, "JPEG", **options)) == 128).all()


@pytest.mark.parametrize("name", ["png", "png palette", "png alpha"])
def test_a_png_without_end_chunk_is_read_when_its_data_ends(name):
    data = FILES[name]
    whole = image.decode_image(data)
    for file in (data[:-12], data[:-5], data[:-16], data[:-12] + bytes(512)):
        assert np.array_equal(image.decode_image(file), whole)
    for file in (data[:-17], data[:-500], data[:-500] + bytes(512)):
        refused(file)


def png_of(data):
    """Signature and header, inflatable data, and the end chunk of a PNG."""
    start = data.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", data, start)
    return data[:start], data[start + 8 : start + 8 + length], data[-12:]


@pytest.mark.parametrize("name", ["png", "png alpha"])
def test_a_png_cut_in_its_data_with_an_end_behind_it(name):
    head, body, end = png_of(FILES[name])
    assert head + png_chunk(b"IDAT", body) + end == FILES[name]
    refused(FILES[name][:-2000] + end)
    refused(head + png_chunk(b"IDAT", body[:-2000]) + end)
    refused(head + png_chunk(b"IDAT", body[:2000]) + png_chunk(b"IDAT", body[2000:-2000]) + end)
    refused(head + png_chunk(b"IDAT", body)[:-4] + b"abcd" + end)
    refused(head + end)


def test_a_webp_whose_size_was_put_right_after_the_cut():
    cut = bytearray(FILES["webp"][:-500])
    cut[4:8] = struct.pack("<I", len(cut) - 8)
    refused(bytes(cut))
    cut[16:20] = struct.pack("<I", len(cut) - 20)
    refused(bytes(cut))


def with_tag(data, tag, change):
    """A TIFF file with the last value of a tag changed."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        found, kind, values = struct.unpack_from("<HHI", data, entry)
        if found != tag:
            continue
        form = {3: "<H", 4: "<I"}[kind]
        size = struct.calcsize(form)
        place = entry + 8 if size * values <= 4 else struct.unpack_from("<I", data, entry + 8)[0]
        place += size * (values - 1)
        (value,) = struct.unpack_from(form, data, place)
        changed = struct.pack(form, change(value))
        return data[:place] + changed + data[place + size :]
    raise AssertionError(f"no tag {tag}")


WIDTH, HEIGHT, BITS, OFFSETS, SAMPLES, ROWS, SIZES = 256, 257, 258, 273, 277, 278, 279
LIES = {
    "wider": (WIDTH, lambda value: value * 100),
    "higher": (HEIGHT, lambda value: value * 100),
    "no width": (WIDTH, lambda value: 0),
    "more bits": (BITS, lambda value: 64),
    "more samples": (SAMPLES, lambda value: 60_000),
    "strips elsewhere": (OFFSETS, lambda value: 60_000),
    "strips of less": (SIZES, lambda value: value // 2),
    "strips of nothing": (SIZES, lambda value: 0),
    "strips of more": (SIZES, lambda value: 60_000),
    "lower strips": (ROWS, lambda value: 1),
    "no rows": (ROWS, lambda value: 0),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", ["tiff raw", "tiff tiff_lzw", "tiff jpeg"])
def test_a_tiff_that_lies(name, lie):
    tag, change = LIES[lie]
    refused(with_tag(FILES[name], tag, change))


def test_a_tag_that_claims_gigabytes_is_not_loaded():
    for tag in (OFFSETS, SIZES, BITS):
        data = bytearray(FILES["tiff tiff_lzw"])
        entry = data.index(struct.pack("<H", tag), struct.unpack_from("<I", data, 4)[0])
        data[entry + 4 : entry + 8] = struct.pack("<I", 2**30)
        assert f"the value of its tag {tag} lies outside" in refused(bytes(data))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp RGB", "tiff raw"])
def test_a_size_of_nothing(kind):
    places = {"png": (16, 4), "webp": (26, 2), "bmp RGB": (18, 4)}
    places["jpeg"] = (FILES["jpeg"].index(b"\xff\xc0") + 5, 2)
    data = FILES[kind]
    if kind == "tiff raw":
        refused(with_tag(data, WIDTH, lambda value: 0))
    else:
        place, length = places[kind]
        refused(data[:place] + bytes(length) + data[place + length :])
