"""Triton's log as JSON, one object a line, for log collectors.

Triton writes only text. The log goes through a pipe, and a thread rewrites it.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LINE = re.compile(
    r"^(?P<level>[IWEFV])(?P<month>\d\d)(?P<day>\d\d) (?P<clock>[\d:.]+) (?P<thread>\d+) "
    r"(?P<source>[^\]]+)\] (?P<message>.*)$"
)
_REQUEST = re.compile(r"^\[request id: (?P<id>[^\]]*)\] ?")
LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal", "V": "verbose"}
UNKNOWN = "<id_unknown>"  # in Triton's log, for a request without an id


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
    """Give a file descriptor for a log whose lines are written to `target` as JSON.

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
