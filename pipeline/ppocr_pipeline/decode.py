"""An encoded picture becomes upright BGR pixels, or an error that says why not.

The header is read first, so that a picture outside the limits costs nothing. EXIF orientation is
applied (PaddleOCR ignores it).
"""

from __future__ import annotations

import cv2
import numpy as np

from ppocr_pipeline.formats import damaged, jpeg_data, png, read_header
from ppocr_pipeline.formats.alpha import flatten
from ppocr_pipeline.formats.jpeg import segments
from ppocr_pipeline.formats.tiff_pixels import decode_tiff
from ppocr_pipeline.header import Header, PictureRefused
from ppocr_pipeline.limits import Limits, exceeded, size_beyond

# How a picture stored with an EXIF orientation is brought upright; 1 is upright already.
UPRIGHT = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: lambda pixels: cv2.transpose(pixels),
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def decode_image(data: bytes, limits: Limits | None = None, ground: str = "contrast") -> np.ndarray:
    """Decode a JPEG, PNG, BMP, WebP or TIFF file (its first page or frame).

    Args:
        data: the whole file.
        limits: checked before anything is decoded.
        ground: under a transparent picture, see `flatten`.

    Returns:
        uint8 [H, W, 3], BGR, upright.

    Raises:
        PictureRefused: a ValueError: empty, not a picture, of another format, outside the limits,
            or damaged.
    """
    header = read_header(data, limits or Limits())
    try:
        pixels = decode(data, header)
    except PictureRefused:
        raise
    except ValueError as error:
        raise damaged(header.format, data, str(error)) from None
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise damaged(header.format, data, "its pixels cannot be decoded")
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        pixels = flatten(pixels, ground)
    return UPRIGHT.get(header.orientation, lambda upright: upright)(pixels)


def bgr_of_rgb(pictures: np.ndarray, limits: Limits) -> np.ndarray:
    """The one picture of a batch that is decoded already, uint8 [1, H, W, 3], as BGR [H, W, 3].

    Raises:
        PictureRefused: a ValueError: not one picture, empty, or outside the limits.
    """
    if pictures.shape[0] != 1:
        raise ValueError(f"RGB holds {pictures.shape[0]} pictures; send one in each request")
    if pictures.nbytes > limits.max_image_bytes:
        what = f"RGB has {pictures.nbytes} bytes"
        raise PictureRefused("bytes", exceeded(what, "max_image_bytes", limits.max_image_bytes))
    height, width = pictures.shape[1:3]
    if 0 in (height, width):
        raise PictureRefused("empty", f"RGB is {width}x{height} (width x height), without pixels")
    if beyond := size_beyond(height, width, limits, "RGB"):
        raise PictureRefused(*beyond)
    return cv2.cvtColor(pictures[0], cv2.COLOR_RGB2BGR)


def decode(data: bytes, header: Header) -> np.ndarray | None:
    """The pixels as they are stored, with alpha where there is any; None for a damaged file.

    Raises:
        ValueError: in what way it is damaged, where that is known.
        PictureRefused: samples of a kind that is not read.
    """
    if header.format == "TIFF":
        return decode_tiff(data)
    if header.format == "PNG":
        ended = png.check_data(data)
        data = data if ended and not header.animated else png.still(data)
    # Listed once for all that follows: a scan, most of the file, is searched for its end.
    parts = list(segments(data)) if header.format == "JPEG" else []
    encoded = jpeg_data.with_end(data, parts) if parts else data
    try:
        # IMREAD_UNCHANGED would keep 16 bits and skip the colour conversion; alpha needs it.
        flags = cv2.IMREAD_UNCHANGED if header.alpha else cv2.IMREAD_COLOR
        pixels = cv2.imdecode(
            np.frombuffer(encoded, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:
        return None
    if parts and pixels is not None:
        jpeg_data.check_data(data, parts, header, pixels)
    return pixels
