"""Manifests: what something was made from and with, so that it is made again only when needed.

A manifest is a JSON file beside what it describes. Its `inputs` are the digests of everything the
result depends on, the tools' versions and the converter's own code included; its `files` are the
digests of the result. Equal inputs and intact files mean that there is nothing to do.
"""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ppocr_converters.files import digest_of, new_file, new_folder, sha256_file, sha256_files
from ppocr_converters.repository.source import SAMPLES, STEP_PACKAGES, package_folder

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
TOOLS = (
    *("ppocr-triton", "paddlepaddle", "paddle2onnx", "onnx", "onnxruntime", "openvino"),
    *("opencv-python-headless", "numpy", "pyclipper", "pillow"),
)
#: The packages whose code and data decide what a build makes and whether a proof holds.
DECIDING = ("ppocr_converters", "ppocr_engine", SAMPLES, *STEP_PACKAGES)

Manifest = dict[str, Any]


def tool_versions() -> dict[str, str]:
    """The versions of everything that has a part in the result, Python included."""
    versions = {"python": platform.python_version()}
    for tool in TOOLS:
        try:
            versions[tool] = metadata.version(tool)
        except metadata.PackageNotFoundError:
            versions[tool] = "not installed"
    return versions


@cache
def code_digest() -> str:
    """One digest of every file of the packages in `DECIDING`, so that none can be left out.

    An upgrade of the project therefore proves everything again.
    """
    return digest_packages({name: package_folder(name) for name in DECIDING})


def digest_packages(folders: Mapping[str, Path]) -> str:
    """One digest of the code and data in the folders of packages, by their names."""
    return digest_of({name: sha256_files(folder) for name, folder in folders.items()})


def whole(inputs: Manifest) -> Manifest:
    """The inputs of a result with the tools and the code it depends on, as they are read back."""
    every = {**inputs, "tools": tool_versions(), "code": code_digest()}
    found: Manifest = json.loads(json.dumps(every))
    return found


def make_once(
    name: str, folder: Path, inputs: Manifest, make: Callable[[Path], Manifest]
) -> tuple[Manifest, bool]:
    """Make a folder with its manifest, unless the one that is there has the same inputs.

    Args:
        name: of what is made, for the log.
        folder: replaced only by a complete one.
        inputs: everything that the result depends on beside tools and code.
        make: fills an empty folder and returns the facts for the manifest, "files" among them.

    Returns:
        The manifest, and whether the folder had to be made.
    """
    inputs = whole(inputs)
    manifest = read_manifest(folder / MANIFEST)
    if manifest is not None and manifest.get("inputs") == inputs and _is_intact(manifest, folder):
        logger.info("%s is up to date", name)
        return manifest, False
    with new_folder(folder) as fresh:
        manifest = {"inputs": inputs, **make(fresh)}
        write_manifest(fresh / MANIFEST, manifest)
    return manifest, True


def read_manifest(path: Path) -> Manifest | None:
    """A manifest, or None where there is none that can be read."""
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest; it is there whole or not at all."""
    with new_file(path) as temporary:
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        temporary.write_text(f"{text}\n", "utf-8")


def _is_intact(manifest: Manifest, folder: Path) -> bool:
    files: Mapping[str, str] = manifest.get("files", {})
    return bool(files) and all(
        (folder / name).is_file() and sha256_file(folder / name) == digest
        for name, digest in files.items()
    )
