"""Peers that read within processes of their own: PaddleOCR, RapidOCR, and the bare networks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_bench.children import RUNNERS, children
from ppocr_bench.environments import PADDLEOCR, RAPIDOCR, ensure_environment
from ppocr_bench.peers.peer import Line, Materials, Peer, Running

Command = list[str | Path]

#: PaddleOCR's own values; what differs between the peers is not what they look for.
PARAMETERS = "side 960, thresh 0.3, box 0.6, unclip 1.5, score 0.5, batches of 6, no cls"


def bound(label: str, repository: Path, engine: str, cores: int) -> list[Peer]:
    """The bare networks of a repository: for one client on all cores, for more at saturation."""
    one = f"{engine}; one picture at a time, its rec batches on all cores, as served"
    many = f"{engine}; {cores} single-threaded processes, at least as many clients"
    return [
        Peer(f"bound ({label})", one, partial(_bound, repository, True), _only_one, label, False),
        Peer(
            f"bound ({label})",
            many,
            partial(_bound, repository, False),
            lambda clients: max(clients, cores) if clients > 1 else 0,
            label,
            reads=False,
        ),
    ]


def paddleocr(mkldnn: bool) -> Peer:
    """PaddleOCR on Paddle Inference, one process with all threads."""
    kernels = "oneDNN asked for (enable_mkldnn=True)" if mkldnn else "enable_mkldnn=False"
    setting = f"one process, all threads, {kernels}; {PARAMETERS}"
    return Peer("PaddleOCR", setting, partial(_paddleocr, mkldnn))


def rapidocr(cores: int) -> list[Peer]:
    """RapidOCR on ONNX Runtime: one process with all threads, and a process a core."""
    return [
        Peer(
            "RapidOCR, all threads",
            f"one process, {cores} threads; {PARAMETERS}",
            partial(_rapidocr, 1, cores),
        ),
        Peer(
            "RapidOCR, a process a core",
            f"{cores} single-threaded processes; {PARAMETERS}",
            partial(_rapidocr, cores, 1),
        ),
    ]


def _only_one(clients: int) -> int:
    return clients if clients == 1 else 0


@contextlib.contextmanager
def _bound(repository: Path, as_served: bool, materials: Materials) -> Iterator[Running]:
    options: Command = ["--repository", repository, *(["--as-served"] if as_served else [])]
    command: Command = [sys.executable, RUNNERS / "run_networks.py", *options, *materials.pictures]
    with _running(1 if as_served else materials.cores, command, materials) as running:
        yield running


@contextlib.contextmanager
def _paddleocr(mkldnn: bool, materials: Materials) -> Iterator[Running]:
    python = ensure_environment(PADDLEOCR, materials.environments / PADDLEOCR.folder)
    options: Command = ["--det-model", materials.det_model, "--rec-model", materials.rec_model]
    options += ["--dictionary", materials.dictionary, *(["--mkldnn"] if mkldnn else [])]
    height = ["--rec-height", str(materials.rec_height)]
    command: Command = [python, RUNNERS / "run_paddleocr.py", *options, *height]
    # PaddleOCR looks for models under the home folder first.
    with _running(1, command, materials, {"HOME": str(materials.scratch)}) as running:
        yield running


@contextlib.contextmanager
def _rapidocr(processes: int, threads: int, materials: Materials) -> Iterator[Running]:
    python = ensure_environment(RAPIDOCR, materials.environments / RAPIDOCR.folder)
    # RapidOCR takes a relative path for one in its own folder.
    det, rec = materials.det_onnx.absolute(), materials.rec_onnx.absolute()
    options: Command = [
        "--det-model",
        det,
        "--rec-model",
        rec,
        "--dictionary",
        materials.dictionary,
    ]
    numbers = ["--rec-height", str(materials.rec_height), "--threads", str(threads)]
    command: Command = [python, RUNNERS / "run_rapidocr.py", *options, *numbers]
    with _running(processes, command, materials) as running:
        yield running


@contextlib.contextmanager
def _running(
    count: int,
    command: Command,
    materials: Materials,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    with children(count, command, environment) as (pool, versions):
        # Every process has read every picture before anything is timed.
        for picture in materials.pictures:
            pool.ask_all(picture)
        yield Running(
            lambda number: pool.ask(materials.pictures[number]), _lines, pool.pids, versions
        )


def _lines(answer: Any) -> list[Line]:
    return [Line(line.text, line.box) for line in answer]
