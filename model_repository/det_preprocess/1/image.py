"""An encoded picture becomes upright BGR pixels, or an error that says why not.

The header is read first, so that a picture outside the limits costs nothing. EXIF orientation is
applied. A transparent picture is laid on white, or on black when what is visible is bright, so
that its text stays readable (PaddleOCR ignores the orientation and always lays on white).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, fields

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from .png import without_animation

# Why a picture is refused, in a word for the metrics.
REASONS = ("empty", "bytes", "format", "damaged", "side", "pixels")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
ORIENTATION = 0x0112  # the EXIF tag
PNG_EXIF = (b"eXIf", b"Raw profile type exif")  # a chunk, and what was written before there was one

# Pillow's readers check little of what they read: these are what damage makes them stumble over.
STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)

# The limits below are checked from the header; Pillow's own check would come before them.
Image.MAX_IMAGE_PIXELS = None

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


class PictureRefused(ValueError):
    """A picture that is not read; `reason` is one of REASONS."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """What a picture may cost: file size in bytes, pixels in all, and the longer side."""

    max_image_bytes: int = 32 << 20
    max_image_pixels: int = 100_000_000
    max_image_side: int = 32_767  # OpenCV's warp cannot address more

    @classmethod
    def from_parameters(cls, parameters: dict[str, str]) -> Limits:
        """The limits as `parameters` of config.pbtxt set them, the defaults for the others."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: int(value) for name, value in parameters.items() if name in known})


@dataclass(frozen=True)
class Header:
    """What the file says of itself before it is decoded."""

    format: str
    width: int
    height: int
    alpha: bool
    orientation: int


def decode_image(data: bytes, limits: Limits | None = None) -> np.ndarray:
    """Decode a JPEG, PNG, BMP, WebP or TIFF file (its first page).

    Args:
        data: the whole file.
        limits: checked before anything is decoded.

    Returns:
        uint8 [H, W, 3], BGR, upright.

    Raises:
        ValueError: empty, not a picture, of another format, outside the limits, or damaged.
    """
    header = read_header(data, limits or Limits())
    # IMREAD_UNCHANGED would keep 16 bits and skip the colour conversion; alpha needs it.
    flags = cv2.IMREAD_UNCHANGED if header.alpha else cv2.IMREAD_COLOR
    pixels = None
    if not truncated(data, header.format):
        encoded = without_animation(data) if header.format == "PNG" else data
        try:
            pixels = cv2.imdecode(
                np.frombuffer(encoded, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION
            )
        except cv2.error:
            pixels = None  # damaged, said below
    if pixels is None:
        raise PictureRefused(
            "damaged",
            f"IMAGE is a damaged or truncated {header.format} of {len(data)} bytes; "
            f"send the whole file",
        )
    if header.alpha:
        pixels = flatten(pixels)
    return UPRIGHT.get(header.orientation, lambda upright: upright)(pixels)


def read_header(data: bytes, limits: Limits) -> Header:
    """Read format, size, alpha and orientation, and hold the limits against them.

    Raises:
        ValueError: empty, too large a file, not one of FORMATS, or a size outside the limits.
    """
    if not data:
        raise PictureRefused(
            "empty", "IMAGE is empty; send an encoded picture: " + ", ".join(FORMATS)
        )
    if len(data) > limits.max_image_bytes:
        raise PictureRefused(
            "bytes",
            f"IMAGE has {len(data)} bytes; allowed: max_image_bytes {limits.max_image_bytes}",
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            header = Header(
                "JPEG" if image.format == "MPO" else str(image.format),
                *image.size,
                alpha=image.has_transparency_data,
                orientation=orientation_of(image, data),
            )
    except UnidentifiedImageError:
        raise PictureRefused(
            "format",
            f"IMAGE cannot be decoded: {len(data)} bytes that begin with {data[:8]!r} are none of "
            + ", ".join(FORMATS),
        ) from None
    except STUMBLES as error:
        raise PictureRefused("damaged", f"IMAGE cannot be decoded: {error}") from None
    check_size(header.height, header.width, limits)
    return header


def orientation_of(image: Image.Image, data: bytes) -> int:
    """The EXIF orientation of an opened picture, 1 where it has none."""
    # Looking for the EXIF data of a PNG, Pillow decodes all of it.
    if image.format == "PNG" and not any(name in data for name in PNG_EXIF):
        return 1
    return int(image.getexif().get(ORIENTATION, 1))


def check_size(height: int, width: int, limits: Limits) -> None:
    """Raise a ValueError when a picture's size is outside the limits."""
    if max(height, width) > limits.max_image_side:
        raise PictureRefused(
            "side",
            f"IMAGE is {width}x{height} (width x height); "
            f"allowed: max_image_side {limits.max_image_side}",
        )
    if height * width > limits.max_image_pixels:
        raise PictureRefused(
            "pixels",
            f"IMAGE is {width}x{height}, {width * height} pixels; "
            f"allowed: max_image_pixels {limits.max_image_pixels}",
        )


def truncated(data: bytes, image_format: str) -> bool:
    """Whether the end of the file is missing; OpenCV would fill the rest with gray and go on."""
    if image_format == "JPEG":
        scan = data.find(b"\xff\xda")
        return data.find(b"\xff\xd9", scan) < 0
    if image_format == "PNG":
        return data.rfind(b"IEND") < 0
    return False


def flatten(pixels: np.ndarray) -> np.ndarray:
    """Lay a transparent picture on white, or on black when its visible part is bright.

    Args:
        pixels: uint8 or uint16 [H, W, 4] BGRA, or [H, W, 2] gray and alpha, or [H, W, 3], or
            [H, W] where the decoder found no alpha after all.

    Returns:
        uint8 [H, W, 3] BGR.
    """
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[2] == 2:
        pixels = cv2.merge([*[pixels[..., 0]] * 3, pixels[..., 1]])
    if pixels.shape[2] == 3:
        return pixels
    colour, alpha = np.ascontiguousarray(pixels[..., :3]), pixels[..., 3]
    if alpha.min() == 255:
        return colour
    weight = alpha.astype(np.float32) / 255
    gray = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    visible = float(weight.sum())
    bright = visible > 0 and float((gray * weight).sum()) > 127.5 * visible
    background = 0.0 if bright else 255.0
    weight = weight[..., None]
    return np.rint(colour * weight + background * (1 - weight)).astype(np.uint8)
