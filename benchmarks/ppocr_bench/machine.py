"""What a figure was measured on: without it, a figure says nothing."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ppocr_engine.machine import available_cores, processor

PACKAGES = (
    "ppocr-triton",
    "nvidia-pytriton",
    "onnxruntime",
    "openvino",
    "opencv-python-headless",
    "numpy",
    "pyclipper",
    "tritonclient",
)


def describe() -> dict[str, Any]:
    """Processor, cores this process may use, memory, system, versions and the command."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "processor": processor()["name"],
        "cores": available_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def describe_lines(found: dict[str, Any]) -> list[str]:
    """What `describe` found, in a few lines of text."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return [
        f"$ {found['command']}",
        f"{found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB, "
        f"load {found['load']}, {found['system']}",
        f"Python {found['python']}, {versions}",
    ]
