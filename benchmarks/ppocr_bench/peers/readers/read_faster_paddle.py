"""faster-paddle, a reader in Rust that brings its own copy of the PP-OCRv6 weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from faster_paddle import OcrEngine  # type: ignore[import-not-found]

PACKAGES = ("faster-paddle",)


def make(settings: dict[str, Any]) -> Callable[[str], list[tuple[str, float, Any]]]:
    """Settings: `size` ("tiny" or "small"), `threads`."""
    engine = OcrEngine(model_size=settings["size"], threads=settings["threads"])

    def read(path: str) -> list[tuple[str, float, Any]]:
        lines = engine.ocr(Path(path).read_bytes())["bounds"].values()
        return [(line["text"], line["confidence"], corners(line)) for line in lines]

    return read


def corners(line: dict[str, Any]) -> list[list[float]]:
    """The upright rectangle of a line, clockwise from top-left; it tells no other boxes."""
    (left, top), (right, bottom) = line["topLeftCoord"], line["bottomRightCoord"]
    return [[left, top], [right, top], [right, bottom], [left, bottom]]
