"""Triton's own load generator: the binary, and the libraries that it needs.

The wheels of tritonclient carried it until 2.50; it is kept in a folder of its own, beside whatever
tritonclient is installed. It is linked against four libraries that a bare system may lack. Triton's
own wheel brings all of them under names of its own, so that links with the expected names do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_bench.errors import BenchError

NAME = "perf_analyzer"
VERSION = "2.50.0"
#: What brings a library where Triton's wheel is not installed.
PACKAGES = {
    "libb64.so.0d": "apt install libb64-0d",
    "libssl.so.3": "apt install libssl3",
    "libcrypto.so.3": "apt install libssl3",
    "libz.so.1": "apt install zlib1g",
    "libcudart.so.12": "pip install nvidia-cuda-runtime-cu12, and name its lib folder in "
    "LD_LIBRARY_PATH",
}
_MISSING = re.compile(r"error while loading shared libraries: (\S+?):")


@dataclass(frozen=True)
class PerfAnalyzer:
    """A binary that runs here.

    Attributes:
        binary: the file.
        version: as it says itself, else of the package it came with.
        environment: of its process.
    """

    binary: Path
    version: str
    environment: dict[str, str] = field(repr=False)


def find_perf_analyzer(explicit: Path | None, links: Path) -> PerfAnalyzer:
    """The given binary, the one on PATH, or the one of the wheel, which is got if need be.

    Args:
        explicit: the binary the user named.
        links: an empty folder for links to libraries; needed as long as the binary is run.

    Raises:
        BenchError: it does not run; the message names the library that is missing.
        ConvertError: the wheel cannot be got.
    """
    on_path = shutil.which(NAME)
    if explicit is not None:
        if not os.access(explicit, os.X_OK) or explicit.is_dir():
            raise BenchError(
                f"--perf-analyzer {explicit} is not an executable file; leave the option out, and "
                f"the one of tritonclient {VERSION} is used"
            )
        binary = explicit.absolute()
    else:
        binary = Path(on_path) if on_path else _of_the_wheel()
    environment = dict(os.environ)
    said = _run_with_libraries(binary, links, environment)
    version = re.search(r"Version (\d\S*)", said)
    fallback = "unknown" if explicit or on_path else f"of tritonclient {VERSION}"
    return PerfAnalyzer(binary, version[1] if version else fallback, environment)


def _of_the_wheel() -> Path:
    from ppocr_converters.paddle.paddle2onnx_versions import install_apart, tool_folder

    folder = tool_folder(f"{NAME}-{VERSION}")
    install_apart(f"tritonclient=={VERSION}", folder, "the sweep")
    return folder / "bin" / NAME


def _run_with_libraries(binary: Path, links: Path, environment: dict[str, str]) -> str:
    """What the binary says of its version; `environment` gets what it needs to find libraries."""
    folders = _libraries_of_triton()
    while True:
        done = subprocess.run(
            [binary, "--version"], env=environment, capture_output=True, text=True, check=False
        )
        missing = _MISSING.search(done.stderr)
        if missing is None:
            if done.returncode:
                raise BenchError(f"{binary} does not run here: {done.stderr.strip()}")
            return done.stdout
        name = missing[1]
        found = match_library(name, [file for folder in folders for file in folder.iterdir()])
        if found is None or (links / name).exists():
            advice = PACKAGES.get(name, "install the package that brings it")
            raise BenchError(f"{binary} needs the library {name}: {advice}")
        (links / name).symlink_to(found)
        paths = [str(links), *map(str, folders), os.environ.get("LD_LIBRARY_PATH", "")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, paths))


def match_library(name: str, files: Sequence[Path]) -> Path | None:
    """The file that is a library, though it has a hash in its name and a longer version.

    libcudart.so.12 is found as libcudart-09529672.so.12.6.77.
    """
    stem, _, version = name.partition(".so")
    pattern = re.compile(rf"{re.escape(stem)}(-[0-9a-f]{{8}})?\.so{re.escape(version)}(\.[0-9.]+)?")
    return next((file for file in files if pattern.fullmatch(file.name)), None)


def _libraries_of_triton() -> Sequence[Path]:
    from ppocr_server.errors import NotInstalledError
    from ppocr_server.tritonserver.locate import find_tritonserver

    try:
        return find_tritonserver().libraries
    except NotInstalledError:  # A server elsewhere is measured: there is nothing to borrow here.
        return ()
