"""Native TensorRT engines run only where they were built: seen before anything is served.

An engine is machine code for one GPU architecture and one version of TensorRT. What it was built
with stands in the repository's manifest, under "tensorrt".
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ppocr_engine.errors import RepositoryError

MANIFEST = "manifest.json"
QUERY = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
#: The library of each major version of TensorRT, newest first.
LIBRARIES = ("libnvinfer.so.11", "libnvinfer.so.10", "libnvinfer.so")


@dataclass(frozen=True)
class Machine:
    """What an engine depends on.

    Attributes:
        gpus: the names of the GPUs.
        compute_capabilities: of each, such as "9.0".
        tensorrt: its version, such as "10.3.0"; "" where it is not installed.
    """

    gpus: tuple[str, ...]
    compute_capabilities: tuple[str, ...]
    tensorrt: str


def this_machine() -> Machine:
    """The GPUs and the TensorRT of the machine, or container, that this runs on."""
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=30)
        rows = [line.rsplit(",", 1) for line in done.stdout.splitlines() if "," in line]
    except (OSError, subprocess.SubprocessError):  # no driver, so no GPU
        rows = []
    return Machine(
        gpus=tuple(name.strip() for name, _ in rows),
        compute_capabilities=tuple(capability.strip() for _, capability in rows),
        tensorrt=tensorrt_version(),
    )


def tensorrt_version() -> str:
    """The version of TensorRT's library, "" where there is none."""
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        return spell_version(int(library.getInferLibVersion()))
    return ""


def spell_version(number: int) -> str:
    """100300 is 10.3.0; before version 10 it was written 8601 for 8.6.1."""
    major, rest = divmod(number, 10_000 if number >= 90_000 else 1_000)
    minor, patch = divmod(rest, 100)
    return f"{major}.{minor}.{patch}"


def built_with(machine: Machine) -> dict[str, Any]:
    """A machine as it is written into a manifest."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(machine).items()}


def check_engines(repository: Path, machine: Machine | None = None) -> None:
    """Refuse a repository whose engines were built for another GPU or TensorRT, if it has any.

    Raises:
        RepositoryError: names both, and how to build the engines again.
    """
    record = _record(repository / MANIFEST)
    if record is None:
        return
    machine = machine or this_machine()
    made = (record["compute_capabilities"][:1], record["tensorrt"])
    here = (sorted(set(machine.compute_capabilities)), machine.tensorrt)
    if made == here:
        return
    raise RepositoryError(
        f"the TensorRT engines in {repository} were built for {', '.join(record['gpus'][:1])} "
        f"(compute capability {', '.join(made[0])}) with TensorRT {made[1]}; this machine has "
        f"{_describe(machine)}. Build them here with `ppocr-convert tensorrt`, in the container "
        f"that serves"
    )


def _record(path: Path) -> Mapping[str, Any] | None:
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RepositoryError(f"{path} is damaged: {error}") from error
    record: Mapping[str, Any] | None = manifest.get("tensorrt")
    return record


def _describe(machine: Machine) -> str:
    gpus = [
        f"{name} ({capability})"
        for name, capability in zip(machine.gpus, machine.compute_capabilities, strict=True)
    ]
    version = f"TensorRT {machine.tensorrt}" if machine.tensorrt else "no TensorRT"
    return f"{', '.join(gpus) or 'no NVIDIA GPU'} and {version}"
