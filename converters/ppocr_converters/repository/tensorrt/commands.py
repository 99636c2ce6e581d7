"""The `trtexec` commands that build native engines; to be run where they will be served."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ppocr_converters.repository.tensorrt.shapes import Bucket, spelled

#: Where NVIDIA's containers have it.
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
#: GPU memory that one layer may use while an engine is built and run, MiB.
WORKSPACE_MIB = 2048


def build_command(
    onnx: Path,
    plan: Path,
    buckets: Sequence[Bucket],
    *,
    timing_cache: Path,
    trtexec: str = TRTEXEC,
) -> list[str]:
    """The command that builds one engine, with an optimisation profile for each bucket.

    Every layer computes in the types of the file. TensorRT 10 must be told so; TensorRT 11 knows
    nothing else and takes the flag as well.

    Args:
        onnx: the compiled network.
        plan: where the engine goes.
        buckets: see `shapes.buckets_of`.
        timing_cache: measurements kept from one build for the next.
        trtexec: the program.
    """
    profiles = [
        part
        for index, bucket in enumerate(buckets)
        for part in (
            f"--profile={index}",
            *(f"--{what}Shapes={shapes}" for what, shapes in spelled(bucket).items()),
        )
    ]
    return [
        trtexec,
        f"--onnx={onnx}",
        f"--saveEngine={plan}",
        f"--timingCacheFile={timing_cache}",
        f"--memPoolSize=workspace:{WORKSPACE_MIB}",
        "--skipInference",
        "--stronglyTyped",
        *profiles,
    ]


def script(commands: Sequence[Sequence[str]]) -> str:
    """The commands as a shell script that stops at the first failure."""
    lines = [" \\\n  ".join(shlex.quote(part) for part in command) for command in commands]
    return "\n".join(["#!/bin/sh", "set -eu", *lines, ""])
