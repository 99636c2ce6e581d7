"""The two bare networks of a repository on one core and tensors of pictures; it reads no text."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from ppocr_bench.networks import Networks, Work

PACKAGES = ("onnxruntime", "openvino")


def make(settings: dict[str, Any]) -> Callable[[str], list[Any]]:
    """Settings: `repository`."""
    networks = Networks(Path(settings["repository"]), single=True)

    @cache  # A picture's tensors are made when it is first asked for, before anything is timed.
    def work(path: str) -> Work:
        return networks.read(Path(path).read_bytes())[1]

    def read(path: str) -> list[Any]:
        networks.run(work(path))
        return []

    return read
