"""Peers that read within processes of their own: PaddleOCR, RapidOCR, and the bare networks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_bench.peers.children import RUNNERS, children
from ppocr_bench.peers.environments import PADDLEOCR, RAPIDOCR, ensure_environment
from ppocr_bench.peers.peer import Materials, Peer, Running

Command = list[str | Path]

#: PaddleOCR's own values; what differs between the peers is not what they look for.
PARAMETERS = "side 960, thresh 0.3, box 0.6, unclip 1.5, score 0.5, batches of 6, no cls"


def bound(label: str, repository: Path, engine: str, cores: int) -> list[Peer]:
    """The bare networks of a repository: for one client on all cores, for more at saturation."""
    one = f"{engine}; one picture at a time, its rec batches on all cores, as served"
    many = f"{engine}; {cores} single-threaded processes, at least as many clients"
    peer = Peer(f"bound ({label})", one, partial(_bound, repository, 0), ours=label, reads=False)
    saturated = partial(_bound, repository, cores)
    return [
        peer._replace(clients=lambda wanted: int(wanted == 1)),
        peer._replace(
            setting=many, start=saturated, clients=lambda n: max(n, cores) if n > 1 else 0
        ),
    ]


def paddleocr(mkldnn: bool) -> Peer:
    """PaddleOCR on Paddle Inference, one process with all threads."""
    kernels = "oneDNN asked for (enable_mkldnn=True)" if mkldnn else "enable_mkldnn=False"
    setting = f"one process, all threads, {kernels}; {PARAMETERS}"
    return Peer("PaddleOCR", setting, partial(_paddleocr, mkldnn))


def rapidocr(cores: int) -> list[Peer]:
    """RapidOCR on ONNX Runtime: one process with all threads, and a process a core."""
    all_threads = f"one process, {cores} threads; {PARAMETERS}"
    a_core = f"{cores} single-threaded processes; {PARAMETERS}"
    return [
        Peer("RapidOCR, all threads", all_threads, partial(_rapidocr, 1, cores)),
        Peer("RapidOCR, a process a core", a_core, partial(_rapidocr, cores, 1)),
    ]


def _bound(
    repository: Path, processes: int, materials: Materials
) -> contextlib.AbstractContextManager[Running]:
    mode: Command = [] if processes else ["--as-served"]
    command: Command = [sys.executable, RUNNERS / "run_networks.py", "--repository", repository]
    return _running(max(1, processes), [*command, *mode, *materials.pictures], materials)


def _paddleocr(mkldnn: bool, materials: Materials) -> contextlib.AbstractContextManager[Running]:
    python = ensure_environment(PADDLEOCR, materials.environments / "paddleocr-env")
    models: Command = ["--det-model", materials.det_model, "--rec-model", materials.rec_model]
    command: Command = [python, RUNNERS / "run_paddleocr.py", *models, *_alphabet(materials)]
    # PaddleOCR looks for models under the home folder first.
    home = {"HOME": str(materials.scratch)}
    return _running(1, [*command, *(["--mkldnn"] if mkldnn else [])], materials, home)


def _rapidocr(
    processes: int, threads: int, materials: Materials
) -> contextlib.AbstractContextManager[Running]:
    python = ensure_environment(RAPIDOCR, materials.environments / "rapidocr-env")
    # RapidOCR takes a relative path for one in its own folder.
    det, rec = materials.det_onnx.absolute(), materials.rec_onnx.absolute()
    models: Command = ["--det-model", det, "--rec-model", rec, "--threads", str(threads)]
    command: Command = [python, RUNNERS / "run_rapidocr.py", *models, *_alphabet(materials)]
    return _running(processes, command, materials)


def _alphabet(materials: Materials) -> Command:
    return ["--dictionary", materials.dictionary, "--rec-height", str(materials.rec_height)]


@contextlib.contextmanager
def _running(
    number: int,
    command: Command,
    materials: Materials,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    pictures = materials.pictures
    with children(number, command, environment, pictures) as (ask, pids, versions):
        yield Running(lambda index: ask(pictures[index]), _lines, pids, versions)


def _lines(answer: Any) -> Any:
    return answer
