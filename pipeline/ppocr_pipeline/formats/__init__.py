"""What a picture file is, and whether its size is allowed: read before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from ppocr_pipeline.formats import bmp, jpeg, png, tiff, webp
from ppocr_pipeline.formats.base64_text import base64_head
from ppocr_pipeline.header import Header, PictureRefused
from ppocr_pipeline.limits import Limits, exceeded, size_beyond


@dataclass(frozen=True)
class Format:
    """A format: how its files begin, what stands at the 8th byte, and what reads its header."""

    magics: tuple[bytes, ...]
    read: Callable[[bytes], Header]
    kind: bytes = b""


FORMATS = {
    "JPEG": Format((jpeg.MAGIC,), jpeg.read_jpeg),
    "PNG": Format((png.MAGIC,), png.read_png),
    "BMP": Format((bmp.MAGIC,), bmp.read_bmp),
    "WEBP": Format((webp.MAGIC,), webp.read_webp, webp.KIND),
    "TIFF": Format(tiff.MAGICS, tiff.read_tiff),
}
OF_PDF = "; send PDF files to POST /read of the gateway, or draw their pages as pictures"


def known_format(data: bytes) -> str | None:
    """The format of a file by how it begins; None for none of FORMATS."""
    for name, known in FORMATS.items():
        if data.startswith(known.magics) and data.startswith(known.kind, 8):
            return name
    return None


def format_of(data: bytes) -> str:
    """The format of a file by how it begins.

    Raises:
        PictureRefused: none of FORMATS.
    """
    if name := known_format(data):
        return name
    if name := known_format(base64_head(data)):
        raise PictureRefused(
            "format",
            f"IMAGE cannot be decoded: it is the base64 text of a {name}; send the bytes of the "
            "file itself, over HTTP as binary data behind the JSON (docs/requests.md)",
        )
    raise PictureRefused(
        "format",
        f"IMAGE cannot be decoded: {len(data)} bytes that begin with {data[:8]!r} are none of "
        + ", ".join(FORMATS)
        + (OF_PDF if data.startswith(b"%PDF-") else "; convert it to PNG or JPEG"),
    )


def read_header(data: bytes, limits: Limits) -> Header:
    """The header of a file that is within the limits.

    Raises:
        PictureRefused: empty, none of FORMATS, damaged, or outside the limits.
    """
    if not data:
        raise PictureRefused(
            "empty", "IMAGE is empty; send an encoded picture: " + ", ".join(FORMATS)
        )
    if len(data) > limits.max_image_bytes:
        what = f"IMAGE has {len(data)} bytes"
        raise PictureRefused("bytes", exceeded(what, "max_image_bytes", limits.max_image_bytes))
    name = format_of(data)
    try:
        header = FORMATS[name].read(data)
    except PictureRefused:
        raise
    except (ValueError, struct.error) as error:
        raise damaged(name, data, str(error)) from None
    if min(header.width, header.height) < 1:
        raise damaged(name, data, f"its size is {header.width}x{header.height}")
    if beyond := size_beyond(header.height, header.width, limits):
        raise PictureRefused(*beyond)
    if header.scans > limits.max_image_scans:
        what = f"IMAGE is a {name} of {header.scans} scans"
        raise PictureRefused("scans", exceeded(what, "max_image_scans", limits.max_image_scans))
    return header


def damaged(name: str, data: bytes, reason: str) -> PictureRefused:
    """The refusal of a file that does not hold a whole picture."""
    return PictureRefused(
        "damaged",
        f"IMAGE is a damaged or truncated {name} of {len(data)} bytes: {reason}; "
        f"send the whole file",
    )
