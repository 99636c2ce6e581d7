"""Tritonserver's log: where it goes, what it holds so far, and its lines as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STDERR = "-"
TEMPORARY = "triton.log"
_LINE = re.compile(
    r"^(?P<level>[IWEFV])(?P<month>\d\d)(?P<day>\d\d) (?P<clock>[\d:.]+) (?P<thread>\d+) "
    r"(?P<source>[^\]]+)\] (?P<message>.*)$"
)
_REQUEST = re.compile(r"^\[request id: (?P<id>[^\]]*)\] ?")
LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal", "V": "verbose"}
UNKNOWN = "<id_unknown>"  # in Triton's log, for a request without an id


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

    @contextmanager
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


def as_json(line: str) -> str:
    """One line of Triton's log as a JSON object.

    `level`, `time` (month-day and clock, in UTC; Triton names no year), `thread`, `source` and
    `message`, and `request_id` if there is one. Any other line has only a `message`.
    """
    found = _LINE.match(line)
    if found is None:
        return json.dumps({"message": line}, ensure_ascii=False)
    message = found["message"]
    if len(message) > 1 and message[0] == message[-1] == '"':
        message = message[1:-1]
    row = {
        "level": LEVELS[found["level"]],
        "time": f"{found['month']}-{found['day']}T{found['clock']}Z",
        "thread": found["thread"],
        "source": found["source"],
    }
    request = _REQUEST.match(message)
    if request is not None:
        message = message[request.end() :]
        if request["id"] != UNKNOWN:
            row["request_id"] = request["id"]
    return json.dumps({**row, "message": message}, ensure_ascii=False)


@contextmanager
def json_log(target: int) -> Iterator[int]:
    """A file descriptor for a log whose lines a thread writes to `target` as JSON.

    On exit, waits until all other holders of the descriptor have closed it.
    """
    end, start = os.pipe()

    def write() -> None:
        with open(end, encoding="utf-8", errors="replace") as lines:  # noqa: PTH123  a descriptor
            for line in lines:
                os.write(target, as_json(line.rstrip("\n")).encode() + b"\n")

    thread = threading.Thread(target=write, name="log", daemon=True)
    thread.start()
    try:
        yield start
    finally:
        os.close(start)
        thread.join()
