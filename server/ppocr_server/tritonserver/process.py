"""One tritonserver process, of which nothing is left behind, and its log."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from ppocr_server.errors import ServerError
from ppocr_server.tritonserver import process_guard

# What the process guard needs after the grace time: to kill, reap and unlink.
MARGIN_SECONDS = 10.0
STDERR = "-"
TEMPORARY = "triton.log"


class GuardedProcess:
    """A running tritonserver and the process guard that owns it (see `process_guard.py`).

    Attributes:
        pid: of tritonserver.
        session: session id of tritonserver and of all processes that it starts.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        run_folder: Path,
        prefix: str,
        log: int,
        grace: float,
    ) -> None:
        """Start the process; returns as soon as tritonserver has a process id.

        Args:
            command: tritonserver and its arguments.
            environment: added to this process's environment.
            run_folder: temporary folder, removed at the end. Its empty `work` becomes the working
                directory, because the Python backend puts that first on the models' import path.
            prefix: of the names of the shared-memory regions.
            log: file descriptor for tritonserver's output.
            grace: seconds that tritonserver gets to stop by itself.

        Raises:
            ServerError: tritonserver could not be executed.
        """
        self._prefix, self._run_folder, self._grace = prefix, run_folder, grace
        work = run_folder / "work"
        work.mkdir()
        plan = {
            "command": list(command),
            "environment": dict(environment),
            "cwd": str(work),
            "run_folder": str(run_folder),
            "prefix": prefix,
            "grace": grace,
            "parent": os.getpid(),
        }
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", process_guard.__file__, json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        self.session = self._guard.pid
        assert self._guard.stdout is not None
        with self._guard.stdout as report:
            line = report.readline()
        if not line.strip().isdigit():
            self.stop()
            reason = line.decode(errors="replace").strip() or "its process guard ended"
            raise ServerError(f"{command[0]} could not be executed: {reason}")
        self.pid = int(line)

    def poll(self) -> int | None:
        """Exit status after all processes have ended (128 + n for signal n), None before."""
        return self._guard.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status; raises `subprocess.TimeoutExpired` after `timeout` seconds."""
        return self._guard.wait(timeout)

    def stop(self) -> None:
        """Stop tritonserver, by force after the grace time, and clean up."""
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(self._grace + MARGIN_SECONDS)
        finally:
            # A second Ctrl-C interrupts the wait above: kill at once.
            if self._guard.poll() is None:
                self._guard.kill()
                self._guard.wait()
            # The guard does this itself unless it was killed.
            process_guard.clean_up(self.session, self._prefix, self._run_folder)


class TritonLog:
    """The log of one tritonserver after another."""

    def __init__(self, path: str | Path | int | None) -> None:
        """Describe a log; nothing is opened.

        Args:
            path: a file to append to, "-" for this process's standard error, a number for an open
                file descriptor, None for a temporary file.
        """
        self._path = path
        self._reader: IO[bytes] | None = None
        self._start = 0

    @contextlib.contextmanager
    def opened(self, run_folder: Path) -> Iterator[int]:
        """A file descriptor for tritonserver to write to; a temporary file is in `run_folder`.

        The guard removes a temporary log as soon as tritonserver has ended. A reader is opened
        before that and stays usable, so that the reason for a failed start is never lost.
        """
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        if isinstance(self._path, int):
            yield self._path
        elif self._path == STDERR:
            yield sys.stderr.fileno()
        else:
            path = Path(self._path or run_folder / TEMPORARY)
            with path.open("ab") as writer:
                if path.is_file():  # a pipe or a terminal cannot be read again
                    self._reader = path.open("rb")
                    self._start = self._reader.seek(0, os.SEEK_END)
                yield writer.fileno()

    def text(self) -> str:
        """What was written since the last start; empty unless it goes to a file."""
        if self._reader is None:
            return ""
        self._reader.seek(self._start)
        return self._reader.read().decode("utf-8", errors="replace")

    def hint(self) -> str:
        """The end of an error message: where to find the log, if it is kept."""
        kept = self._reader is not None and self._path is not None
        return f"; its log is {Path(str(self._path)).absolute()}" if kept else ""
