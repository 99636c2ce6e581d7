"""Pictures in every form that Python has, as the bytes of an encoded file, and what these hold.

NumPy arrays become BMP, which needs no compression and is decoded fastest, or PNG if BMP cannot
hold them. Both are lossless.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ppocr_client.errors import ImageError
from ppocr_pipeline.formats import FORMATS, format_of, known_format
from ppocr_pipeline.formats.base64_text import base64_head
from ppocr_pipeline.formats.exif import ORDERS

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[np.uint8]
Colour = Literal["BGR", "RGB"]
ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Pixels | Image"
)

# The server's default limit is 32 MiB a file; a larger picture may still fit as PNG.
MAX_BMP_BYTES = 32 * 2**20
NOT_BASE64 = "{name} is base64 text; give the file's own bytes: base64.b64decode(text)"
SHORTEST = 40  # bytes of base64 text of a picture


def read_image(image: Any, colour: Colour | None = None) -> bytes:
    """The bytes of an encoded picture.

    Args:
        image: A file's path, the bytes of a JPEG, PNG, BMP, WebP or TIFF file, a binary file
            object (read from its position on), a Pillow image (brought upright), or an array:
            uint8 [H, W] gray, [H, W, 3], or [H, W, 4] with alpha last.
        colour: The order of an array's channels, "BGR" (OpenCV) or "RGB"; needed for arrays of
            3 or 4 channels.

    Raises:
        ImageError: If there is nothing to read, it is base64 text, or an array is no picture.
        TypeError: If `image` is of another type.
    """
    if isinstance(image, np.ndarray):
        return encode_pixels(image, colour)
    if colour is not None:
        raise ImageError(f"colour={colour!r} is for arrays; a {type(image).__name__} knows its own")
    if isinstance(image, bytes | bytearray | memoryview):
        return _checked(bytes(image), "the picture")
    if isinstance(image, str | os.PathLike):
        try:
            return _checked(Path(image).read_bytes(), os.fspath(image))
        except OSError as error:
            name = os.fspath(image)
            if _is_base64(name.encode()):
                raise ImageError(NOT_BASE64.format(name="the path")) from error
            raise ImageError(f"cannot read {name}: {error.strerror}") from error
    pillow = sys.modules.get("PIL.Image")  # An image of Pillow exists only if Pillow is loaded.
    if pillow is not None and isinstance(image, pillow.Image):
        return encode_pillow(image)
    if hasattr(image, "read"):
        data = image.read()
        if not isinstance(data, bytes):
            raise TypeError("the file object reads text; open it in binary mode, 'rb'")
        return _checked(data, getattr(image, "name", "the file object"))
    raise TypeError(
        f"image is {type(image).__name__}; give a path, an encoded picture's bytes, a binary file "
        "object, a NumPy array or a Pillow image"
    )


def encode_pixels(pixels: npt.NDArray[Any], colour: Colour | None) -> bytes:
    """An array as a BMP or PNG file; arguments and errors as of `read_image`."""
    if pixels.dtype != np.uint8:
        raise ImageError(f"the array is {pixels.dtype}; give uint8, 0 to 255")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)):
        raise ImageError(f"the array's shape is {pixels.shape}; give [H, W], [H, W, 3] or 4")
    if 0 in pixels.shape:
        raise ImageError(f"the array's shape is {pixels.shape}; there are no pixels")
    if pixels.ndim == 3:
        if colour not in ("BGR", "RGB"):
            raise ImageError(f"colour is {colour!r}; give colour='BGR' (OpenCV) or colour='RGB'")
        if colour == "RGB":
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    if pixels.shape[2:] == (4,) or 3 * pixels.shape[0] * pixels.shape[1] > MAX_BMP_BYTES - 4096:
        return _png(pixels)
    return bmp_of(pixels)


def encode_pillow(image: Image) -> bytes:
    """A Pillow image, turned upright as its EXIF says, as a BMP or PNG file."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        return encode_pixels((np.asarray(upright) >> 8).astype(np.uint8), None)
    if upright.has_transparency_data:
        return encode_pixels(np.asarray(upright.convert("RGBA")), "RGB")
    mode = "L" if upright.mode in ("1", "L") else "RGB"
    return encode_pixels(np.asarray(upright.convert(mode)), "RGB" if mode == "RGB" else None)


def _checked(data: bytes, name: object) -> bytes:
    if not data:
        raise ImageError(f"{name} is empty")
    if _is_base64(data):
        raise ImageError(NOT_BASE64.format(name=name))
    return data


def _is_base64(data: bytes) -> bool:
    return len(data) > SHORTEST and known_format(base64_head(data)) is not None


def bmp_of(pixels: Pixels) -> bytes:
    """uint8 BGR [H, W, 3] or gray [H, W] as BMP: rows from the bottom up, padded to 4 bytes."""
    height, width = pixels.shape[:2]
    gray = pixels.ndim == 2
    depth = 1 if gray else 3
    rows = np.zeros((height, -(-width * depth // 4) * 4), np.uint8)
    rows[:, : width * depth] = pixels[::-1].reshape(height, width * depth)
    palette = bytes(v for shade in range(256) for v in (shade, shade, shade, 0)) if gray else b""
    offset = 14 + 40 + len(palette)
    start = struct.pack("<2sIII", b"BM", offset + rows.size, 0, offset)
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 8 * depth, 0, rows.size, 2835, 2835, 0, 0
    )
    return b"".join([start, header, palette, rows.tobytes()])


def _png(pixels: Pixels) -> bytes:
    """BGR or BGRA or gray as PNG, compressed a little."""
    height, width = pixels.shape[:2]
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    kind = {(): 0, (3,): 2, (4,): 6}[pixels.shape[2:]]
    rows = pixels.reshape(height, -1)
    # Each row is stored as its difference from the row above: filter 2, "Up".
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.hstack([np.full((height, 1), 2, np.uint8), rows - above])
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
        for tag, data in chunks
    )


class Size(NamedTuple):
    """Pixels of the upright picture."""

    width: int
    height: int


def picture_size(data: bytes) -> Size | None:
    """The upright size of a JPEG, PNG, BMP, WebP or TIFF file's first picture.

    None if the pipeline could not read the file either. EXIF orientation is applied.
    """
    try:
        header = FORMATS[format_of(data)].read(data)
    except (ValueError, struct.error):
        return None
    width, height = header.width, header.height
    if min(width, height) < 1:
        return None
    return Size(height, width) if header.orientation >= 5 else Size(width, height)


def tiff_pictures(data: bytes) -> int:
    """The number of pictures in a TIFF file; 0 if it is not one."""
    if data[:4] not in (b"II*\0", b"MM\0*") or len(data) < 8:
        return 0
    seen: set[int] = set()
    order = ORDERS[data[:2]]
    (offset,) = struct.unpack_from(order + "I", data, 4)
    while offset and offset not in seen and offset + 2 <= len(data):
        seen.add(offset)
        (count,) = struct.unpack_from(order + "H", data, offset)
        after = offset + 2 + 12 * count
        if after + 4 > len(data):
            break
        (offset,) = struct.unpack_from(order + "I", data, after)
    return len(seen)
