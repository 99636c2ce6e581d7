"""What a picture file says of itself, and why one is refused."""

from __future__ import annotations

from dataclasses import dataclass

# Why a picture is refused, in a word for the metrics.
REASONS = ("empty", "bytes", "format", "damaged", "side", "pixels", "aspect", "scans")
# Segments or chunks of one file. Real ones have dozens, or one for each few kilobytes of data.
MAX_PARTS = 100_000


class PictureRefused(ValueError):
    """A picture that is not read; `reason` is one of REASONS."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Header:
    """What a file says of itself before it is decoded.

    Attributes:
        format: its name, as Pillow calls it.
        width: as stored, pixels.
        height: as stored, pixels.
        alpha: whether it has transparency.
        orientation: of EXIF, 1 to 8.
        scans: passes over the picture that decoding takes.
        animated: whether it holds more than one picture; the first one is read.
    """

    format: str
    width: int
    height: int
    alpha: bool = False
    orientation: int = 1
    scans: int = 1
    animated: bool = False
