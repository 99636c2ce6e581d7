"""Ask perf_analyzer for one measurement, and read what it says."""

from __future__ import annotations

import base64
import csv
import json
import re
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_bench.errors import BenchError
from ppocr_bench.perf_analyzer_tool import PerfAnalyzer

#: A measurement is over when this many windows in a row agree; perf_analyzer's own number.
AGREEING = 3
#: Written with 50, 90, 95 and 99, which it always gives.
EXTRA_PERCENTILE = 80
ANY_SPREAD = 1_000_000  # percent: windows agree, whatever they say
_PASS = re.compile(r"Pass \[\d+\] throughput: ([\d.]+) infer/sec")
_REQUESTS = re.compile(r"Request count: (\d+)")
_DELAYED = re.compile(r"([\d.]+)% of the requests were delayed")
_UNSTABLE = "Failed to obtain stable measurement"


@dataclass(frozen=True)
class Load:
    """What is asked of the server: so many requests at any time, or so many a second.

    Attributes:
        concurrency: requests under way at any time; each is followed by the next.
        rate: requests sent in a second, however long the answers take.
        distribution: of a rate, "constant" or "poisson" intervals.
    """

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


@dataclass(frozen=True)
class Windows:
    """How long is measured.

    Attributes:
        seconds: of one window.
        most: windows after which it gives up if no three in a row agree.
        spread: percent by which those three may differ, in throughput and in latency.
    """

    seconds: float
    most: int
    spread: float


@dataclass(frozen=True)
class Measured:
    """One measurement; latencies in milliseconds, as the client sees them.

    Attributes:
        throughput: pictures a second.
        requests: answers the figures are made of.
        windows: pictures a second of each window, those before the last three included.
        stable: the last three agreed.
        delayed: share of the requests that were sent late, of a rate.
    """

    throughput: float
    mean_ms: float
    p50_ms: float
    p80_ms: float
    p90_ms: float
    p99_ms: float
    requests: int
    windows: list[float]
    stable: bool
    delayed: float


def input_data(pictures: Sequence[bytes]) -> str:
    """The input file that sends the pictures in turn.

    perf_analyzer puts decoded bytes into the request as they are, and Triton expects a length
    before each string: without it the picture's first bytes would be taken for one.
    """
    rows = [
        {
            "IMAGE": {
                "b64": base64.b64encode(struct.pack("<I", len(data)) + data).decode(),
                "shape": [1],
            }
        }
        for data in pictures
    ]
    return json.dumps({"data": rows})


def measure(tool: PerfAnalyzer, url: str, data: Path, load: Load, windows: Windows) -> Measured:
    """Measure until three windows agree, else three windows as they come.

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
    if load.rate is None:
        found = _measure(tool, url, data, load, windows)
        if found is not None:
            return found
    anyhow = Windows(windows.seconds, AGREEING, ANY_SPREAD)
    found = _measure(tool, url, data, load, anyhow)
    if found is None:
        raise BenchError(f"{tool.binary} gave no measurement; allow longer --windows")
    return found


def _measure(
    tool: PerfAnalyzer, url: str, data: Path, load: Load, windows: Windows
) -> Measured | None:
    """One run of perf_analyzer; None where no three windows agreed."""
    protocol, _, address = url.partition("://")
    table = data.with_name("latency.csv")
    table.unlink(missing_ok=True)
    command = [
        *[str(tool.binary), "-m", "ocr", "-i", protocol, "-u", address],
        *["--input-data", str(data), *load.options],
        *["-p", f"{windows.seconds * 1e3:.0f}", "-r", f"{windows.most}"],
        *["-s", f"{windows.spread:g}", "--percentile", f"{EXTRA_PERCENTILE}"],
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
        stable = windows.spread < ANY_SPREAD
        return parse(table.read_text("utf-8"), done.stdout, stable=stable)
    if _UNSTABLE in done.stderr:
        return None
    raise BenchError(f"{load} over {protocol}: {reason(done.stderr, done.returncode)}")


def parse(table: str, said: str, *, stable: bool) -> Measured:
    """Read perf_analyzer's CSV file and standard output of one measurement.

    Args:
        table: the file; a head and one row; latencies in microseconds.
        said: the output of `-v`.
        stable: whether the windows had to agree.
    """
    row: dict[str, Any] = next(csv.DictReader(table.splitlines()))
    requests, delayed = _REQUESTS.search(said), _DELAYED.search(said)
    windows = [float(number) for number in _PASS.findall(said)]
    last = windows[-AGREEING:]
    return Measured(
        throughput=float(row["Inferences/Second"]),
        mean_ms=(float(row["request/response"]) + float(row["response wait"])) / 1e3,
        p50_ms=float(row["p50 latency"]) / 1e3,
        p80_ms=float(row[f"p{EXTRA_PERCENTILE} latency"]) / 1e3,
        p90_ms=float(row["p90 latency"]) / 1e3,
        p99_ms=float(row["p99 latency"]) / 1e3,
        requests=int(requests[1]) if requests else 0,
        windows=windows,
        stable=stable and len(last) == AGREEING,
        delayed=float(delayed[1]) / 100 if delayed else 0.0,
    )


def reason(said: str, code: int) -> str:
    """Why perf_analyzer ended without a measurement, from its standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.partition("had error: ")[2] for line in lines if "had error: " in line]
    if errors:
        return errors[0]
    if any("No valid requests recorded" in line for line in lines):
        return "no answer came within a window; make the windows longer with --seconds"
    return (
        lines[0].removeprefix("Error: ")
        if lines
        else f"perf_analyzer ended with {code} and said nothing"
    )
