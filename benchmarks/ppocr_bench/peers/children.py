"""Peers, and processes that read pictures, asked over their standard input and output.

The other side is `readers/child.py`; the process may be any Python.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ppocr_bench.record import BenchError
from ppocr_pipeline.pipeline import Line

CHILD = Path(__file__).parent / "readers" / "child.py"
logger = logging.getLogger(__name__)
REQUIREMENTS = Path(__file__).with_name("requirements")


class Running(NamedTuple):
    """A peer that can be asked.

    `ask` gives the lines of a picture (`text`, `score`, `box`), for several threads at the same
    time; a peer that only runs networks reads none. `pids` are of the processes whose memory, with
    that of all they started, is the peer's. `versions` are of what it reads with.
    """

    ask: Callable[[Path], Sequence[Any]]
    pids: Sequence[int]
    versions: dict[str, str]


class Peer(NamedTuple):
    """One way to read pictures.

    `setting` says what it was set to. `start` starts it, and stops it on leaving. `ours` is the
    name of the repository that it serves. `alone` is whether it is asked by one client, or by
    several, where it is not asked by either.
    """

    name: str
    setting: str
    start: Callable[[], contextlib.AbstractContextManager[Running]]
    ours: str | None = None
    alone: bool | None = None


def read_line(text: str, score: float, box: Any) -> Line:
    """A line of a reader that does not tell its boxes' scores; `box` is [4][2], pixels."""
    return Line(text, score, np.array(box, np.float32), 0.0)


@contextlib.contextmanager
def child(
    python: str | Path,
    name: str,
    settings: Mapping[str, Any],
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Running]:
    """One process of `readers/read_NAME.py` that is ready; one may ask at a time.

    BenchError says why it ended, or why it could not read a picture.
    """
    words = [str(python), str(CHILD), name, json.dumps(dict(settings), default=str)]
    # Ctrl-C is for the benchmark, which then ends its children: each has a session of its own.
    with (
        tempfile.TemporaryFile() as log,
        tempfile.TemporaryDirectory() as home,  # under which PaddleOCR looks for models first
        subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **variables, "HOME": home},
            encoding="utf-8",
            start_new_session=True,
        ) as process,
    ):

        def answer(wanted: str) -> Any:
            assert process.stdout is not None
            if not (text := process.stdout.readline()):
                code = process.wait()
                log.seek(0)
                tail = log.read().decode(errors="replace").strip().splitlines()[-12:]
                raise BenchError("\n".join([f"the reader {name} ended with {code}:", *tail]))
            found = json.loads(text)
            if wanted not in found:
                raise BenchError(f"the reader {name} could not read: {found['error']}")
            return found[wanted]

        def ask(path: Path) -> list[Line]:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # `answer` says why it ended.
                process.stdin.write(json.dumps(str(path)) + "\n")
                process.stdin.flush()
            return [read_line(*line) for line in answer("lines")]

        try:
            yield Running(ask, [process.pid], answer("versions"))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def children(
    number: int,
    python: str | Path,
    name: str,
    settings: Mapping[str, Any],
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Running]:
    """So many of them, with further environment variables; who asks first is first."""
    with contextlib.ExitStack() as opened:
        each = (child(python, name, settings, variables) for _ in range(number))
        started = [opened.enter_context(one) for one in each]
        own, free = threading.local(), iter(started)
        # Each thread asks a process of its own, so that requests wait in the order they came.
        pool = opened.enter_context(
            ThreadPoolExecutor(number, initializer=lambda: setattr(own, "child", next(free)))
        )

        def ask(path: Path) -> Sequence[Line]:
            return pool.submit(lambda: own.child.ask(path)).result()

        yield Running(ask, [pid for one in started for pid in one.pids], started[0].versions)


def ensure_environment(name: str, folder: Path) -> Path:
    """Make the environment of `requirements/NAME.txt` unless it stands there; its Python.

    Without such a file it is the Python that runs this.

    Raises:
        BenchError: it cannot be made; the last lines of the failing command are in the message.
    """
    python, complete = folder / "bin" / "python", folder / "complete"
    requirements = REQUIREMENTS / f"{name}.txt"
    if not requirements.is_file():
        return Path(sys.executable)
    pins = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if complete.is_file() and complete.read_text() == pins:
        return python
    logger.info("installing %s into %s (once, some minutes)", name, folder)
    _run([sys.executable, "-m", "venv", "--clear", folder])
    # The files are complete: what a package asks for otherwise may be no longer to be had.
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([python, *install, "-r", requirements])
    complete.write_text(pins)
    return python


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        words = " ".join(map(str, command[:4]))
        raise BenchError(f"{words} … ended with {done.returncode}:\n{tail}")
