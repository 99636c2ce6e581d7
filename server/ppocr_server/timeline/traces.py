"""Make Triton write traces, and read them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppocr_server.errors import ServerError

# Triton writes files of this many traces; until then they are in memory.
TRACES_PER_FILE = 1000


def trace_arguments(file: Path) -> list[str]:
    """Return tritonserver's arguments for tracing every request.

    Args:
        file: prefix of the file names; Triton appends ".0", ".1", ….
    """
    return [
        "--trace-config=mode=triton",
        f"--trace-config=triton,file={file}",
        f"--trace-config=triton,log-frequency={TRACES_PER_FILE}",
        "--trace-config=level=TIMESTAMPS",
        "--trace-config=rate=1",
        "--trace-config=count=-1",
    ]


@dataclass
class Trace:
    """One model's part of one request.

    Attributes:
        id: unique among the traces of one server.
        model: the model's name.
        request_id: as the client gave it, may be empty.
        parent: the trace of the ensemble or model that asked, None for a client's own request.
        times: nanoseconds by event ("REQUEST_START", "COMPUTE_END", …).
    """

    id: int
    model: str = ""
    request_id: str = ""
    parent: int | None = None
    times: dict[str, int] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether the request has ended, so that it can be drawn."""
        return bool(self.model) and {"REQUEST_START", "REQUEST_END"} <= self.times.keys()

    @property
    def computed(self) -> bool:
        """Whether an instance worked on it; ensembles have none."""
        return {"COMPUTE_START", "COMPUTE_END"} <= self.times.keys()


def read_traces(files: Iterable[Path]) -> list[Trace]:
    """Read trace files in any order; requests without an end are left out.

    Raises:
        ServerError: a file cannot be read, or is no trace file.
    """
    traces: dict[int, Trace] = {}
    for file in files:
        for row in _rows(file):
            trace = traces.setdefault(row["id"], Trace(row["id"]))
            if "model_name" in row:
                trace.model = row["model_name"]
                trace.request_id = row.get("request_id", "")
                trace.parent = row.get("parent_id")
            for stamp in row.get("timestamps", ()):
                trace.times[stamp["name"]] = stamp["ns"]
    return [trace for trace in traces.values() if trace.whole]


def _rows(file: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServerError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise ServerError(
            f"{file} is no whole trace file ({error}); Triton ends it when it stops, or after "
            f"{TRACES_PER_FILE} requests"
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
        raise ServerError(f"{file} holds JSON, but no traces; give files that Triton wrote")
    return rows
