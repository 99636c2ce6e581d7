"""Peers that read within processes of their own: PaddleOCR, RapidOCR, and the bare networks."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ppocr_bench.peers.children import RUNNERS, children
from ppocr_bench.peers.environments import PADDLEOCR, RAPIDOCR, Environment, ensure_environment
from ppocr_bench.peers.peer import Peer, Running

#: PaddleOCR's own values; what differs between the peers is not what they look for.
PARAMETERS = "side 960, thresh 0.3, box 0.6, unclip 1.5, score 0.5, batches of 6, no cls"
#: Options of the runners, with options of `peers` in braces.
ALPHABET = ("--dictionary={dictionary}", "--rec-height={rec_height}")
PADDLE = ("--det-model={det_model}", "--rec-model={rec_model}", *ALPHABET)
ONNX = ("--det-model={det_onnx}", "--rec-model={rec_onnx}", *ALPHABET)


def start(
    environment: Environment,
    script: str,
    number: int,
    options: Sequence[str],
    args: argparse.Namespace,
) -> contextlib.AbstractContextManager[Running]:
    """So many processes of a runner in its environment."""
    python = ensure_environment(environment, args.environments / f"{environment.key}-env")
    words = [option.format(**vars(args)) for option in options]
    # PaddleOCR looks for models under the home folder first.
    home = {"HOME": str(args.scratch)}
    return children(number, [python, RUNNERS / script, *words], home, args.files)


def networks(
    repository: Path, number: int, args: argparse.Namespace
) -> contextlib.AbstractContextManager[Running]:
    """The bare networks: so many processes with one thread each, or for 0 one as it is served."""
    command: list[str | Path] = [sys.executable, RUNNERS / "run_networks.py"]
    command += [f"--repository={repository}", *([] if number else ["--as-served"])]
    return children(max(1, number), [*command, *args.files], pictures=args.files)


def bound(label: str, repository: Path, engine: str, cores: int) -> list[Peer]:
    """The bare networks of a repository: for one client on all cores, for more at saturation."""
    one = f"{engine}; one picture at a time, its rec batches on all cores, as served"
    many = f"{engine}; {cores} single-threaded processes, at least as many clients"
    quiet = Peer(f"bound ({label})", one, partial(networks, repository, 0), ours=label, reads=False)
    saturated = quiet._replace(setting=many, start=partial(networks, repository, cores))
    return [
        quiet._replace(clients=lambda wanted: int(wanted == 1)),
        saturated._replace(clients=lambda wanted: max(wanted, cores) if wanted > 1 else 0),
    ]


def paddleocr(mkldnn: bool) -> list[Peer]:
    """PaddleOCR on Paddle Inference, one process with all threads."""
    kernels = "oneDNN asked for (enable_mkldnn=True)" if mkldnn else "enable_mkldnn=False"
    options = [*PADDLE, *(["--mkldnn"] if mkldnn else [])]
    run = partial(start, PADDLEOCR, "run_paddleocr.py", 1, options)
    return [Peer("PaddleOCR", f"one process, all threads, {kernels}; {PARAMETERS}", run)]


def rapidocr(cores: int) -> list[Peer]:
    """RapidOCR on ONNX Runtime: one process with all threads, and a process a core."""
    run = partial(start, RAPIDOCR, "run_rapidocr.py")
    all_threads = f"one process, {cores} threads; {PARAMETERS}"
    a_core = f"{cores} single-threaded processes; {PARAMETERS}"
    return [
        Peer("RapidOCR, all threads", all_threads, partial(run, 1, [*ONNX, f"--threads={cores}"])),
        Peer("RapidOCR, a process a core", a_core, partial(run, cores, [*ONNX, "--threads=1"])),
    ]
