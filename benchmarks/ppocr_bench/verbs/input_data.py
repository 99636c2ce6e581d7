"""Pictures as an input file of Triton's own load generator, perf_analyzer.

perf_analyzer puts the decoded bytes into the request as they are, and Triton expects a length
before each string. Without it the picture's first bytes would be taken for one.
"""

from __future__ import annotations

import argparse
import base64
import json
import struct
from collections.abc import Sequence
from pathlib import Path

from ppocr_bench.options import REQUIRED
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.record import Result, save

OPTIONS = {
    **picture_options(0),
    "--out": (Path, REQUIRED, "for perf_analyzer's --input-data", "FILE"),
}


def run(args: argparse.Namespace) -> Result:
    """Write the file, and say how it is used."""
    pictures = gather(args)
    save(args.out, input_data([picture.data for picture in pictures]))
    return Result(
        f"{len(pictures)} pictures in turn: perf_analyzer -m ocr -i grpc -u 127.0.0.1:8001 "
        f"--input-data {args.out} --concurrency-range 4 --measurement-interval 10000",
        settings={"pictures": [picture.name for picture in pictures]},
    )


def input_data(pictures: Sequence[bytes]) -> str:
    """The JSON that sends the pictures in turn: 4 bytes of length, little-endian, then the file."""
    files = [base64.b64encode(struct.pack("<I", len(data)) + data).decode() for data in pictures]
    return json.dumps({"data": [{"IMAGE": {"b64": file, "shape": [1]}} for file in files]})
