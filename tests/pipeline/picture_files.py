"""Picture files in memory, and the parts that their formats are made of."""

import io
import struct
import zlib
from typing import Any

from PIL import Image


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(head: tuple[int, ...], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of IHDR's values (width, height, bits, colour, 0, 0, interlaced) and more chunks."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *head)), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
