"""Animated PNG files brought down to the still picture that every reader shows."""

from __future__ import annotations

ANIMATION = (b"acTL", b"fcTL", b"fdAT")
SIGNATURE = 8  # bytes before the first chunk


def without_animation(data: bytes) -> bytes:
    """The file without the chunks of its animation; any other file as it is.

    OpenCV 4.11 reads the frames one by one, and the process ends where one is missing.

    Args:
        data: a PNG file, which may be damaged.
    """
    if not any(kind in data for kind in ANIMATION):
        return data
    kept, start = [data[:SIGNATURE]], SIGNATURE
    while start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")  # length, kind, checksum
        if data[start + 4 : start + 8] not in ANIMATION:
            kept.append(data[start:end])
        start = end
    return b"".join(kept)
