"""rusto, a reader in Rust, as it is installed, with the weights of the repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rusto.generated import rusto  # type: ignore[import-not-found]

PACKAGES = ("rusto",)


def make(settings: dict[str, Any]) -> Callable[[str], list[tuple[str, float, Any]]]:
    """Settings: `det_onnx`, `rec_onnx`, `dictionary` (files); it has one thread."""
    names = ("det_onnx", "rec_onnx", "dictionary")
    config = rusto.create_initialize_config_ppv6(*(settings[name] for name in names))
    engine, options = rusto.RustO.initialize(config), rusto.default_ocr_run_options()

    def read(path: str) -> list[tuple[str, float, Any]]:
        lines = engine.detect_text(rusto.ImageSource.PATH(path), options).results
        return [
            (line.text, line.score, [[corner.x, corner.y] for corner in line.box_points])
            for line in lines
        ]

    return read
