"""What every kind of file decodes to: the pixels that Pillow decodes from the whole file."""

import base64
import io
import struct
import zlib
from urllib.parse import quote

import numpy as np
import pytest
from cases import cases
from PIL import Image
from pipeline.picture_files import png_file, saved

from ppocr_pipeline import decode as image

ROWS, COLUMNS = np.mgrid[0:38, 0:54]
COLOUR = np.stack([COLUMNS * 4, ROWS * 6, COLUMNS + ROWS], -1).astype(np.uint8)
COLOUR[8:20, 10:40] = (250, 20, 30)
COLOUR[22:34, 5:30] = 0
PICTURE = Image.fromarray(COLOUR)
TIFF_MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16")
JPEGS: tuple[dict, ...] = ({}, {"progressive": True}, {"restart_marker_blocks": 1})
TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits")


def in_mode(mode):
    if mode == "I;16":
        return Image.fromarray(np.asarray(PICTURE.convert("L")).astype(np.uint16) << 8)
    return PICTURE.convert(mode)


def by_pillow(data):
    """The whole file's pixels as RGB; 16 bits are cut to 8."""
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        if not opened.mode.startswith("I;16"):
            return np.asarray(opened.convert("RGB"))
        return np.stack([(np.asarray(opened) >> 8).astype(np.uint8)] * 3, -1)


def difference(data):
    """The largest difference of a channel between what is decoded here and by Pillow."""
    decoded = image.decode_image(data)
    assert decoded.dtype == np.uint8
    expected = by_pillow(data)
    assert decoded.shape == expected.shape
    return int(np.abs(decoded[..., ::-1].astype(int) - expected).max())


FILES: list[tuple[str, str, dict]] = [
    *(("PNG", mode, {}) for mode in ("1", "L", "P", "RGB", "I;16")),
    *(("JPEG", mode, how) for mode in ("L", "RGB", "CMYK") for how in JPEGS),
    *(("BMP", mode, {}) for mode in ("1", "L", "P", "RGB")),
    *(("WEBP", "RGB", how) for how in ({}, {"lossless": True})),
    *(("TIFF", mode, {"compression": one}) for mode in TIFF_MODES for one in TIFF_COMPRESSIONS),
    *(("TIFF", "1", {"compression": one}) for one in ("group3", "group4")),
    *(("TIFF", mode, {"compression": "jpeg"}) for mode in ("L", "RGB")),
    ("TIFF", "RGB", {"big_tiff": True}),
]


@pytest.mark.parametrize(("kind", "mode", "how"), FILES)
def test_a_file_is_decoded_as_by_pillow(kind, mode, how):
    allowed = 1 if (kind, mode) == ("JPEG", "CMYK") else 0  # converted in another order
    assert difference(saved(in_mode(mode), kind, **how)) <= allowed


def test_interlaced_png():
    assert difference(interlaced(COLOUR)) == 0


def interlaced(pixels):
    """An RGB PNG in Adam7's seven passes, which Pillow can read and not write."""
    rows = b""
    for top, left, down, right in (
        *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
        *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::right])
    head = (pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1)
    return png_file(head, (b"IDAT", zlib.compress(rows)))


def tiff(order, entries, data):
    """A TIFF file of one page: its data first, from byte 8 on."""
    rows = b"".join(
        struct.pack(order + "HHII", tag, 4, 1, value)
        if isinstance(value, int)
        else struct.pack(order + "HHII", tag, 4, *value)
        for tag, value in sorted(entries.items())
    )
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8 + len(data))
    return head + data + struct.pack(order + "H", len(entries)) + rows + bytes(4)


GRAY = np.asarray(PICTURE.convert("L"))
PAGE = {256: GRAY.shape[1], 257: GRAY.shape[0], 258: 8, 259: 1, 262: 1, 277: 1}


def strip(order="<", **changes):
    entries = PAGE | {273: 8, 278: GRAY.shape[0], 279: GRAY.size}
    entries |= {int(name.removeprefix("tag")): value for name, value in changes.items()}
    return tiff(order, entries, GRAY.tobytes())


def tiled(order, side=16):
    """GRAY in square tiles, those at the edge filled up."""
    height, width = GRAY.shape
    filled = np.pad(GRAY, ((0, -height % side), (0, -width % side)))
    tiles = [
        filled[top : top + side, left : left + side].tobytes()
        for top in range(0, height, side)
        for left in range(0, width, side)
    ]
    places = [8 + index * side * side for index in range(len(tiles))]
    data = b"".join(tiles)
    arrays = struct.pack(f"{order}{2 * len(tiles)}I", *places, *[side * side] * len(tiles))
    offsets = (len(tiles), 8 + len(data))
    sizes = (len(tiles), offsets[1] + 4 * len(tiles))
    entries = PAGE | {322: side, 323: side, 324: offsets, 325: sizes}
    return tiff(order, entries, data + arrays)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("write", [strip, tiled])
def test_tiff_in_both_orders_of_bytes_in_strips_and_tiles(write, order):
    data = write(order)
    assert difference(data) == 0
    assert (image.decode_image(data)[..., 0] == GRAY).all()


def test_tiff_whose_0_is_white():
    assert (image.decode_image(strip(tag262=0))[..., 0] == 255 - GRAY).all()


def test_tiff_samples_that_are_not_read_are_named():
    data = saved(Image.fromarray(GRAY.astype(np.float32)), "TIFF")
    with pytest.raises(ValueError, match="a TIFF of samples F; allowed: whole numbers of 1 to 16"):
        image.decode_image(data)


def test_jpeg_of_12_bits_is_refused_clearly():
    data = bytearray(saved(PICTURE, "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ValueError, match="IMAGE is a JPEG of 12 bits a sample; allowed: 8 bits"):
        image.decode_image(bytes(data))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_is_read(kind):
    frames = [Image.new("RGB", (20, 10), (index, 0, 0)) for index in range(40)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    decoded = image.decode_image(data)
    assert decoded.shape == (10, 20, 3)
    assert not decoded.any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_of_every_format_that_has_one(kind, orientation):
    turned = {
        **{1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180},
        **{4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE},
        **{6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE},
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    upright = PICTURE.convert("L")
    stored = upright if turned is None else upright.transpose(turned)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    decoded = image.decode_image(saved(stored, kind, exif=exif, **options))
    assert decoded.shape[:2] == GRAY.shape
    assert np.abs(decoded[..., 0].astype(int) - GRAY).max() <= (3 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_left_out(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert image.decode_image(saved(PICTURE, "JPEG", exif=exif)).shape == COLOUR.shape


def test_alpha_is_laid_on_white_also_half_way():
    clear = PICTURE.copy()
    clear.putalpha(Image.fromarray((COLUMNS * 4).astype(np.uint8)))
    white = Image.new("RGBA", clear.size, "white")
    expected = np.asarray(Image.alpha_composite(white, clear).convert("RGB")).astype(int)
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True, "exact": True})):
        decoded = image.decode_image(saved(clear, kind, **options))[..., ::-1]
        assert np.abs(decoded - expected).max() <= 1


@pytest.mark.parametrize(("ink", "behind"), [(0, 255), (255, 0)])
def test_text_on_a_transparent_ground_stays_visible(ink, behind):
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[15:25, 10:50] = (ink, ink, ink, 255)
    flat = image.decode_image(saved(Image.fromarray(pixels), "PNG"))
    assert (flat[20, 30] == ink).all()
    assert (flat[0, 0] == behind).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("alpha", [0, 7])
def test_alpha_that_hides_everything_is_ignored(mode, alpha):
    hidden = Image.fromarray(GRAY).convert(mode)
    hidden.putalpha(alpha)
    assert (image.decode_image(saved(hidden, "PNG"))[..., 0] == GRAY).all()


def test_the_references_lay_on_white_or_ignore_alpha():
    clear = np.zeros((20, 20, 4), np.uint8)
    clear[5:15, 5:15] = 255
    data = saved(Image.fromarray(clear), "PNG")
    corners = {
        ground: image.decode_image(data, ground=ground)[0, 0, 0] for ground in ("white", "none")
    }
    assert corners == {"white": 255, "none": 0}


def lines_on_clear(*inks, under=0):
    """A picture with a line of each gray, nothing between them."""
    pixels = np.zeros((30 * len(inks), 200, 4), np.uint8)
    pixels[..., :3] = under
    for row, ink in enumerate(inks):
        pixels[30 * row + 10 : 30 * row + 14, 10:190] = (ink, ink, ink, 255)
    return pixels


@pytest.mark.parametrize(("inks", "ground"), cases(__file__)["grounds"])
@pytest.mark.parametrize("under", [0, 255])
def test_the_ground_is_one_on_which_the_visible_is_seen(inks, ground, under):
    flat = image.decode_image(saved(Image.fromarray(lines_on_clear(*inks, under=under)), "PNG"))
    assert (flat[0, 0] == ground).all()
    assert [flat[30 * row + 12, 100, 0] for row in range(len(inks))] == list(inks)


def test_a_window_with_round_corners_is_told_by_its_frame():
    window = np.full((200, 200, 4), 255, np.uint8)
    window[50:150, 50:150, :3] = 0
    window[:4, :4, 3] = window[-4:, -4:, 3] = 0
    assert (image.decode_image(saved(Image.fromarray(window), "PNG"))[0, 0] == 0).all()


def test_gray_with_alpha_and_palette_transparency():
    gray_alpha = Image.new("LA", (8, 8), (0, 0))
    gray_alpha.putpixel((4, 4), (0, 255))
    assert (image.decode_image(saved(gray_alpha, "PNG"))[0, 0] == 255).all()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 20, 20, 20])
    palette.putpixel((4, 4), 1)
    assert (image.decode_image(saved(palette, "PNG", transparency=0))[0, 0] == 255).all()


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", bytes(1000)]
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValueError, match=r"^IMAGE (is empty|cannot be decoded|is a damaged)"):
        image.decode_image(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_base64_text_is_named_for_what_it_is(kind):
    data = saved(PICTURE, kind)
    for text in (base64.b64encode(data), base64.urlsafe_b64encode(data), base64.encodebytes(data)):
        for sent in (text, b"data:image/x;base64," + text, b'"' + text, quote(text).encode()):
            with pytest.raises(ValueError, match=f"base64 text of a {kind}; send the bytes"):
                image.decode_image(sent)


def test_a_gif_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match="none of JPEG, PNG, BMP, WEBP, TIFF; convert it to PNG"):
        image.decode_image(saved(Image.new("L", (4, 4)), "GIF"))
    with pytest.raises(ValueError, match="send PDF files to POST /read"):
        image.decode_image(b"%PDF-1.7")
