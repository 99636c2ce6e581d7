"""Triton's own load generator, perf_analyzer: found, asked for one measurement, and read.

The wheels of tritonclient carried it until 2.50; it is kept in a folder of its own, beside whatever
tritonclient is installed. It is linked against libraries that a bare system may lack. Triton's own
wheel brings them under names of its own, so that links with the expected names do.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ppocr_bench.errors import BenchError
from ppocr_converters.paddle.paddle2onnx_versions import install_apart, tool_folder
from ppocr_server.errors import NotInstalledError
from ppocr_server.tritonserver.locate import find_tritonserver

NAME, VERSION = "perf_analyzer", "2.50.0"
#: What brings a library where Triton's wheel is not installed.
PACKAGES = {
    "libb64.so.0d": "apt install libb64-0d",
    "libssl.so.3": "apt install libssl3",
    "libcrypto.so.3": "apt install libssl3",
    "libz.so.1": "apt install zlib1g",
    "libcudart.so.12": "pip install nvidia-cuda-runtime-cu12, and name its lib folder in "
    "LD_LIBRARY_PATH",
}
#: A measurement is over when this many windows in a row agree; perf_analyzer's own number.
AGREEING = 3
ANY_SPREAD = 1_000_000  # percent: windows agree, whatever they say
PERCENTILES = (50, 80, 90, 99)
_MISSING = re.compile(r"error while loading shared libraries: (\S+?):")
_UNSTABLE = "Failed to obtain stable measurement"


class PerfAnalyzer(NamedTuple):
    """A binary that runs here: the file, its version, and the environment of its process."""

    binary: Path
    version: str
    environment: dict[str, str]


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
    if explicit is not None and (not os.access(explicit, os.X_OK) or explicit.is_dir()):
        raise BenchError(
            f"--perf-analyzer {explicit} is not an executable file; leave the option out, and the "
            f"one of tritonclient {VERSION} is used"
        )
    if explicit is not None or on_path:
        binary, fallback = (explicit or Path(str(on_path))).absolute(), "unknown"
    else:
        folder, fallback = tool_folder(f"{NAME}-{VERSION}"), f"of tritonclient {VERSION}"
        install_apart(f"tritonclient=={VERSION}", folder, "the sweep")
        binary = folder / "bin" / NAME
    environment = dict(os.environ)
    version = re.search(r"Version (\d\S*)", _run_with_libraries(binary, links, environment))
    return PerfAnalyzer(binary, version[1] if version else fallback, environment)


def _run_with_libraries(binary: Path, links: Path, environment: dict[str, str]) -> str:
    """What the binary says of its version; `environment` gets what it needs to find libraries."""
    try:
        folders: Sequence[Path] = find_tritonserver().libraries
    except NotInstalledError:  # A server elsewhere is measured: there is nothing to borrow here.
        folders = ()
    while True:
        done = subprocess.run(
            [binary, "--version"], env=environment, capture_output=True, text=True, check=False
        )
        missing = _MISSING.search(done.stderr)
        if missing is None and done.returncode:
            raise BenchError(f"{binary} does not run here: {done.stderr.strip()}")
        if missing is None:
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


@dataclass(frozen=True)
class Load:
    """So many requests at any time, or a rate a second with "constant" or "poisson" intervals."""

    concurrency: int | None = None
    rate: float | None = None
    distribution: str = "constant"

    @property
    def options(self) -> list[str]:
        """As perf_analyzer takes them."""
        if self.rate is None:
            return ["--concurrency-range", f"{self.concurrency}"]
        # Threads that wait for answers would keep it from sending in time.
        rate = ["--async", "--request-rate-range", f"{self.rate:g}"]
        return [*rate, "--request-distribution", self.distribution]

    def __str__(self) -> str:
        return f"{self.concurrency} at once" if self.rate is None else f"{self.rate:g}/s"

    def window(self, throughput: float) -> float:
        """Seconds of a window that holds enough answers at the throughput of the warm-up.

        They are two to each of the requests under way, or four where requests are sent at a rate.
        """
        if self.rate is None:
            return 2 * (self.concurrency or 1) / throughput
        return 4 / min(self.rate, throughput)


class Windows(NamedTuple):
    """Seconds of one window, windows at the most, and percent by which three in a row may differ.

    Both throughput and latency have to agree.
    """

    seconds: float
    most: int
    spread: float


def input_data(pictures: Sequence[bytes]) -> str:
    """The input file that sends the pictures in turn.

    perf_analyzer puts decoded bytes into the request as they are, and Triton expects a length
    before each string: without it the picture's first bytes would be taken for one.
    """
    files = [base64.b64encode(struct.pack("<I", len(data)) + data).decode() for data in pictures]
    return json.dumps({"data": [{"IMAGE": {"b64": file, "shape": [1]}} for file in files]})


def measure(
    tool: PerfAnalyzer, url: str, data: Path, load: Load, windows: Windows
) -> dict[str, Any]:
    """Measure until three windows agree, else three windows as they come; see `parse`.

    Args:
        tool: perf_analyzer.
        url: grpc://HOST:PORT or http://HOST:PORT.
        data: a file with `input_data`.
        load: what is asked.
        windows: how long.

    Raises:
        BenchError: a request failed, or no answer came within a window; the reason is given.
    """
    # At a rate that is too high latency grows from window to window: that is a finding.
    found = None if load.rate else _measure(tool, url, data, load, windows)
    anyhow = Windows(windows.seconds, AGREEING, ANY_SPREAD)
    found = found or _measure(tool, url, data, load, anyhow)
    if found is None:
        raise BenchError(f"{tool.binary} gave no measurement; allow longer --seconds")
    return found


def _measure(
    tool: PerfAnalyzer, url: str, data: Path, load: Load, windows: Windows
) -> dict[str, Any] | None:
    """One run of perf_analyzer; None where no three windows agreed."""
    protocol, _, address = url.partition("://")
    table = data.with_name("latency.csv")
    table.unlink(missing_ok=True)
    command = [
        *[str(tool.binary), "-m", "ocr", "-i", protocol, "-u", address],
        *["--input-data", str(data), *load.options],
        *["-p", f"{windows.seconds * 1e3:.0f}", "-r", f"{windows.most}"],
        *["-s", f"{windows.spread:g}", "--percentile", "80"],
        *["-v", "--verbose-csv", "-f", str(table)],
    ]
    # A rate beyond what the server can do leaves requests that are waited for at the end.
    limit = 120 + 5 * windows.seconds * windows.most
    try:
        done = subprocess.run(
            command, env=tool.environment, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{tool.binary} did not end within {limit:.0f} s at {load}") from error
    if table.is_file() and done.returncode == 0:
        return parse(table.read_text("utf-8"), done.stdout, stable=windows.spread < ANY_SPREAD)
    if _UNSTABLE in done.stderr:
        return None
    raise BenchError(f"{load} over {protocol}: {reason(done.stderr, done.returncode)}")


def parse(table: str, said: str, *, stable: bool) -> dict[str, Any]:
    """Read perf_analyzer's CSV file and the output of `-v` of one measurement.

    Returns:
        `pictures_per_second`, `mean_ms` and percentiles as the client sees them, `requests`
        (answers they are made of), `windows` (pictures a second of each), `stable` (the last
        three had to agree, and did) and `delayed` (share of requests sent late, of a rate).
    """
    row: dict[str, Any] = next(csv.DictReader(table.splitlines()))  # times in microseconds
    requests = re.search(r"Request count: (\d+)", said)
    delayed = re.search(r"([\d.]+)% of the requests were delayed", said)
    windows = re.findall(r"Pass \[\d+\] throughput: ([\d.]+) infer/sec", said)
    return {
        "pictures_per_second": float(row["Inferences/Second"]),
        "mean_ms": (float(row["request/response"]) + float(row["response wait"])) / 1e3,
        **{f"p{n}_ms": float(row[f"p{n} latency"]) / 1e3 for n in PERCENTILES},
        "requests": int(requests[1]) if requests else 0,
        "windows": list(map(float, windows)),
        "stable": stable and len(windows) >= AGREEING,
        "delayed": float(delayed[1]) / 100 if delayed else 0.0,
    }


def reason(said: str, code: int) -> str:
    """Why perf_analyzer ended without a measurement, from its standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.partition("had error: ")[2] for line in lines if "had error: " in line]
    if not errors and any("No valid requests recorded" in line for line in lines):
        return "no answer came within a window; make the windows longer with --seconds"
    silent = f"perf_analyzer ended with {code} and said nothing"
    return [*errors, *(line.removeprefix("Error: ") for line in lines), silent][0]
