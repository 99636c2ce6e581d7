"""Peers that read within processes of their own: PaddleOCR, RapidOCR, and the bare networks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ppocr_bench.peers.children import RUNNERS, children
from ppocr_bench.peers.environments import PADDLEOCR, RAPIDOCR, Environment, ensure_environment
from ppocr_bench.peers.peer import Materials, Peer, Running

#: PaddleOCR's own values; what differs between the peers is not what they look for.
PARAMETERS = "side 960, thresh 0.3, box 0.6, unclip 1.5, score 0.5, batches of 6, no cls"
#: Options of the runners, with fields of Materials in braces.
ALPHABET = ("--dictionary={dictionary}", "--rec-height={rec_height}")
PADDLE = ("--det-model={det_model}", "--rec-model={rec_model}", *ALPHABET)
ONNX = ("--det-model={det_onnx}", "--rec-model={rec_onnx}", *ALPHABET)


@contextlib.contextmanager
def running(
    environment: Environment | None,
    script: str,
    number: int,
    options: tuple[str, ...],
    materials: Materials,
) -> Iterator[Running]:
    """So many processes of a runner in its environment, or in ours, where they want pictures."""
    python, pictures = Path(sys.executable), materials.pictures
    if environment is not None:
        python = ensure_environment(environment, materials.environments / f"{environment.key}-env")
    # RapidOCR takes a relative path for one in its own folder.
    values = {
        name: value.absolute() if isinstance(value, Path) else value
        for name, value in materials._asdict().items()
    }
    words = [option.format(**values) for option in options]
    command: list[str | Path] = [python, RUNNERS / script, *words]
    command += pictures if environment is None else []
    # PaddleOCR looks for models under the home folder first.
    home = {"HOME": str(materials.scratch)} if environment is PADDLEOCR else {}
    with children(number, command, home, pictures) as (ask, pids, versions):
        yield Running(lambda index: ask(pictures[index]), pids, versions)


def bound(label: str, repository: Path, engine: str, cores: int) -> list[Peer]:
    """The bare networks of a repository: for one client on all cores, for more at saturation."""
    one = f"{engine}; one picture at a time, its rec batches on all cores, as served"
    many = f"{engine}; {cores} single-threaded processes, at least as many clients"
    option = f"--repository={repository}"
    run = partial(running, None, "run_networks.py")
    served, saturated = partial(run, 1, ("--as-served", option)), partial(run, cores, (option,))
    peer = Peer(f"bound ({label})", one, served, lambda n: int(n == 1), label, reads=False)
    saturating = partial(_at_least, cores)
    return [peer, peer._replace(setting=many, start=saturated, clients=saturating)]


def _at_least(cores: int, wanted: int) -> int:
    return max(wanted, cores) if wanted > 1 else 0


def paddleocr(mkldnn: bool) -> list[Peer]:
    """PaddleOCR on Paddle Inference, one process with all threads."""
    kernels = "oneDNN asked for (enable_mkldnn=True)" if mkldnn else "enable_mkldnn=False"
    options = (*PADDLE, *(["--mkldnn"] if mkldnn else []))
    start = partial(running, PADDLEOCR, "run_paddleocr.py", 1, options)
    return [Peer("PaddleOCR", f"one process, all threads, {kernels}; {PARAMETERS}", start)]


def rapidocr(cores: int) -> list[Peer]:
    """RapidOCR on ONNX Runtime: one process with all threads, and a process a core."""
    run = partial(running, RAPIDOCR, "run_rapidocr.py")
    all_threads = f"one process, {cores} threads; {PARAMETERS}"
    a_core = f"{cores} single-threaded processes; {PARAMETERS}"
    return [
        Peer("RapidOCR, all threads", all_threads, partial(run, 1, (*ONNX, f"--threads={cores}"))),
        Peer("RapidOCR, a process a core", a_core, partial(run, cores, (*ONNX, "--threads=1"))),
    ]
