"""Processes that read pictures for a benchmark, asked over their standard input and output.

The other side is `runners/child.py`; the process may be any Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from ppocr_bench.errors import BenchError

RUNNERS = Path(__file__).with_name("runners")


class Line(NamedTuple):
    """One line as a process read it; `box` is [4][2], pixels."""

    text: str
    score: float
    box: list[list[float]]


class Child:
    """One process; one request at a time."""

    def __init__(
        self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start it; `wait` returns when it has loaded everything.

        Args:
            command: the Python, a file in `runners/` and its options.
            environment: variables beside those of this process.
        """
        self._name = Path(command[1]).name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # `close` closes it
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **(environment or {})},
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the benchmark, which then ends its children.
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def wait(self) -> dict[str, str]:
        """Versions of what it reads with, once it is ready.

        Raises:
            BenchError: it ended instead.
        """
        return self._answer("versions")

    def ask(self, path: str | Path) -> list[Line]:
        """The lines of a picture.

        Raises:
            BenchError: it could not read the picture, or ended.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `_answer` says why it ended.
            self._process.stdin.write(json.dumps(str(path)) + "\n")
            self._process.stdin.flush()
        return [Line(*line) for line in self._answer("lines")]

    def close(self) -> None:
        """End it and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._errors.close()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _answer(self, wanted: str) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"{self._name} ended with {self._process.wait()}:\n{self._tail()}")
        answer = json.loads(line)
        if wanted not in answer:
            raise BenchError(f"{self._name} could not read a picture: {answer['error']}")
        return answer[wanted]

    def _tail(self) -> str:
        self._errors.seek(0)
        return "\n".join(self._errors.read().decode(errors="replace").strip().splitlines()[-12:])


class Children:
    """Equal processes, of which a free one gets the next request; threads share them."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._all = list(children)
        self.pids = [child.pid for child in children]
        self._free: queue.SimpleQueue[Child] = queue.SimpleQueue()
        for child in children:
            self._free.put(child)
        # Requests wait here in their order. Threads that waited for a free process would not: the
        # one that has just had its answer would be first again.
        self._waiting = ThreadPoolExecutor(len(children))

    def ask(self, path: str | Path) -> list[Line]:
        """The lines of a picture; those who ask first are served first."""
        return self._waiting.submit(self._ask, path).result()

    def _ask(self, path: str | Path) -> list[Line]:
        child = self._free.get()
        try:
            return child.ask(path)
        finally:
            self._free.put(child)

    def ask_all(self, path: str | Path) -> None:
        """Have every process read a picture, while nobody else asks."""
        for child in self._all:
            child.ask(path)


@contextlib.contextmanager
def children(
    count: int, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Children, dict[str, str]]]:
    """So many processes of a command, ready, and the versions of what they read with.

    Raises:
        BenchError: one ended instead.
    """
    with contextlib.ExitStack() as opened:
        started = []
        for _ in range(count):
            started.append(Child(command, environment))
            opened.callback(started[-1].close)
        versions = [child.wait() for child in started]
        yield Children(started), versions[0]
