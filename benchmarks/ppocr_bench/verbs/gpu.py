"""Pack a bundle for a GPU machine without a network; check, load and bound the pipeline there.

`gpu pack BUNDLE` makes the folder BUNDLE, whose files are no larger than --piece-mb. On the other
machine, `sh BUNDLE/run.sh DIR` needs neither Python nor packages. It unpacks into DIR/bundle and
calls `gpu run DIR/bundle --out DIR`. A run that ended early goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ppocr_bench.options import REQUIRED, Options, list_of, one_of
from ppocr_bench.record import Result
from ppocr_client.commands.argument_types import above_zero, at_least

CLIENTS, MINUTES, SECONDS = [1, 8, 32, 96], 7.5, 2.5
CUDA, CPU = "cuda", "cpu"
OPTIONS: Options = {
    "action": (one_of(("pack", "run")), REQUIRED, "what to do: pack here, run there", "pack|run"),
    "bundle": (Path, REQUIRED, "the bundle's folder", "BUNDLE"),
    "--provider": (one_of((CUDA, CPU)), None, "cuda (default for pack) or cpu, of ONNX Runtime"),
    "--scenes": (list_of(str), [], "of sparse, poster, dense, mixed (default: all)", "NAME,…"),
    "--repository": ([Path], [], "pack: built repositories, in fp32, fp16 or both", "DIR"),
    "--samples": (Path, Path("samples"), "pack: folder of sample pictures", "DIR"),
    "--images": ([Path], [], "pack: further pictures, which become the scene `own`", "PATH"),
    "--piece-mb": (at_least(1), 64, "pack: size of a file, megabytes (10^6 bytes)", "N"),
    "--no-runtime": (bool, False, "pack: leave out Python and packages, which are there"),
    "--out": (Path, None, "run: folder of the results and of what is unpacked", "DIR"),
    "--clients": (list_of(at_least(1)), CLIENTS, "run: requests under way", "N,…"),
    "--seconds": (above_zero, SECONDS, "run: of each load"),
    "--minutes": (above_zero, MINUTES, "run: what does not fit is left out, and said"),
}


def run(args: argparse.Namespace) -> Result:
    """Pack or run."""
    if args.action == "pack":
        from ppocr_bench.gpu.pack import pack

        return pack(args)
    from ppocr_bench.gpu.run import run_bundle

    return run_bundle(args)
