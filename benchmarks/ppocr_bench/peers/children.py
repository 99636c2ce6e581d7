"""Processes that read pictures for a benchmark, asked over their standard input and output.

The other side is `runners/child.py`; the process may be any Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_bench.errors import BenchError
from ppocr_bench.peers.peer import Running
from ppocr_pipeline.pipeline import Line

RUNNERS = Path(__file__).with_name("runners")

Command = Sequence[str | Path]


def read_line(text: str, score: float, box: Any) -> Line:
    """A line of a reader that does not tell its boxes' scores; `box` is [4][2], pixels."""
    return Line(text, score, np.array(box, np.float32), 0.0)


class Child:
    """One process; one request at a time. BenchError says why it ended or could not read.

    `command` is the Python, a file in `runners/` and its options. One that does not speak the
    protocol (`answers` is False) serves until its standard input ends. `folder` is where it runs.
    """

    def __init__(
        self,
        command: Command,
        environment: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
        answers: bool = True,
    ) -> None:
        self._name = Path(command[1]).name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # `close` closes it
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if answers else self._log,
            stderr=self._log,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the benchmark, which then ends its children.
        )
        self.pid = self._process.pid

    def versions(self) -> dict[str, str]:
        """Wait until it is ready; versions of what it reads with."""
        return self._answer("versions")

    def ask(self, path: Path) -> list[Line]:
        """The lines of a picture."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `_answer` says why it ended.
            self._process.stdin.write(json.dumps(str(path)) + "\n")
            self._process.stdin.flush()
        return [read_line(*line) for line in self._answer("lines")]

    def check(self) -> None:
        """Raise BenchError with the end of its output where it has ended."""
        if (code := self._process.poll()) is not None:
            self._log.seek(0)
            tail = self._log.read().decode(errors="replace").strip().splitlines()[-12:]
            raise BenchError("\n".join([f"{self._name} ended with {code}:", *tail]))

    def close(self) -> None:
        """End it and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError), self._process, self._log:
            pass

    def _answer(self, wanted: str) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self.check()
        answer = json.loads(line)
        if wanted not in answer:
            raise BenchError(f"{self._name} could not read a picture: {answer['error']}")
        return answer[wanted]


@contextlib.contextmanager
def children(
    number: int,
    command: Command,
    environment: Mapping[str, str] | None = None,
    pictures: Sequence[Path] = (),
) -> Iterator[Running]:
    """So many processes of a command that are ready, and have read every one of the pictures.

    A free one reads what is asked; those who ask first are first.
    """
    with contextlib.ExitStack() as opened:
        started = []
        for _ in range(number):
            started.append(Child(command, environment))
            opened.callback(started[-1].close)
        versions = [child.versions() for child in started]
        for child in started:
            for picture in pictures:
                child.ask(picture)
        own, turn = threading.local(), count()

        def take_one() -> None:
            own.child = started[next(turn)]

        # Each thread asks a process of its own, so that requests wait in the order they came.
        pool = opened.enter_context(ThreadPoolExecutor(number, initializer=take_one))

        def ask(path: Path) -> list[Line]:
            return pool.submit(lambda: own.child.ask(path)).result()

        yield Running(ask, [child.pid for child in started], versions[0])
