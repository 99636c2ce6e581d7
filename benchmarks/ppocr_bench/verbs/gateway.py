"""Processor time of the gateway's process for a request, beside a client that asks Triton itself.

Requests are sent one by one. Triton's own work is in neither figure; both hold the encoding of the
request and the decoding of the answer.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ppocr_bench.errors import BenchError
from ppocr_bench.options import Options, at_least
from ppocr_bench.pictures import Picture, blank, gather, picture_options
from ppocr_bench.processes import cpu_seconds
from ppocr_bench.record import Result, Row, Table
from ppocr_bench.target import TARGET, serving
from ppocr_client import OcrClient

OPTIONS: Options = {
    **TARGET,
    **picture_options(1),
    "--requests": (at_least(1), 50, "of each picture in a round"),
    "--rounds": (at_least(1), 3, "of all pictures in turn; the least is taken"),
}
KEYS = ["picture", "lines", "gateway_cpu_ms", "client_cpu_ms", "more_ms"]
TIMEOUT = 300.0  # seconds for one answer


def run(args: argparse.Namespace) -> Result:
    """Measure every picture; the least of all rounds is what the work takes."""
    pictures = [blank(), *gather(args)]
    rows: list[Row] = []
    with (
        serving(args, ["grpc"]) as found,
        OcrClient(found.urls[0], timeout=TIMEOUT) as client,
        gateway(found.urls[0]) as (process, address),
    ):
        for picture in pictures:
            send_all(address, picture, 2)
            client.read(picture.data)
            through, direct = [], []
            for _ in range(args.rounds):
                before = cpu_seconds(process.pid)
                lines = send_all(address, picture, args.requests)
                through.append((cpu_seconds(process.pid) - before) * 1e3 / args.requests)
                before = cpu_seconds(os.getpid())
                for _ in range(args.requests):
                    client.read(picture.data)
                direct.append((cpu_seconds(os.getpid()) - before) * 1e3 / args.requests)
            figures = min(through), min(direct)
            row = [picture.name, lines, *figures, figures[0] - figures[1]]
            rows.append(dict(zip(KEYS, row, strict=True)))
    most = max(row["gateway_cpu_ms"] for row in rows)
    return Result(
        f"at most {most:.2f} ms of processor time a request in the gateway",
        tables={"requests": Table(rows, KEYS, "Milliseconds of one process for a request")},
    )


@contextlib.contextmanager
def gateway(triton: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A gateway in front of a server: its process, and its "host:port"."""
    serve = str(Path(sys.executable).with_name("ppocr-serve"))
    command = [serve, "gateway", "--url", triton, "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BenchError("`ppocr-serve gateway` ended before it listened")
            yield process, json.loads(line)["gateway"].partition("://")[2]
        finally:
            process.terminate()


def send_all(address: str, picture: Picture, requests: int) -> int:
    """Send a picture so many times over one connection; the lines that were read."""
    lines = 0
    with contextlib.closing(http.client.HTTPConnection(address, timeout=TIMEOUT)) as connection:
        for _ in range(requests):
            connection.request("POST", "/read", picture.data)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise BenchError(f"the gateway answered {answer.status}: {body[:300]!r}")
            lines = len(json.loads(body)["pages"][0]["lines"])
    return lines
