"""The stub processes in which Triton's Python backend runs instances of models.

The arguments of a stub are an internal of the backend; `stub_internals.py` checks them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ppocr_server.tritonserver.process_guard import SHARED_MEMORY, processes

PROGRAM = "triton_python_backend_stub"
ENDED = "Z"
REGION, CONTROL, NAME = 2, 7, 8  # positions in a stub's command line


@dataclass(frozen=True)
class Stub:
    """One stub process.

    Attributes:
        name: the instance that it runs, such as "det_0_1".
        region: its shared-memory region, a file.
        control: offset in bytes of the backend's control structure in that region.
    """

    name: str
    region: Path
    control: int


def stub_of(pid: int) -> Stub | None:
    """What a process's command line says of the stub that it is; None for every other process.

    A stub whose command line is not as expected has a `control` of 0.
    """
    with contextlib.suppress(OSError):
        arguments = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").split("\0")
        if Path(arguments[0]).name == PROGRAM:
            try:
                region = SHARED_MEMORY / arguments[REGION].lstrip("/")
                return Stub(arguments[NAME], region, int(arguments[CONTROL]))
            except (IndexError, ValueError):
                return Stub(f"process {pid}", SHARED_MEMORY, 0)
    return None


class StubProcesses:
    """The children of one tritonserver.

    Attributes:
        stubs: the stubs that `lost` saw last, by process id.
    """

    def __init__(self, tritonserver: int) -> None:
        """Watch the children of a process id."""
        self.stubs: dict[int, Stub] = {}
        self._parent = tritonserver
        self._names: dict[int, str] = {}
        self._ended: set[int] = set()

    def lost(self) -> list[str]:
        """The instances whose process ended although Triton did not end it.

        Triton reaps the processes that it ends itself, for instance when it reloads a model. A
        process that is a zombie in two successive calls ended by itself.
        """
        children = {pid: state for pid, state, parent, _ in processes() if parent == self._parent}
        ended = {pid for pid in children if children[pid] == ENDED}
        known = self.stubs | {pid: stub for pid in children if (stub := stub_of(pid)) is not None}
        self._names |= {pid: known[pid].name for pid in known}
        self.stubs = {pid: known[pid] for pid in children.keys() & known.keys() - ended}
        lost, self._ended = self._ended & ended, ended
        return sorted(self._names.get(pid, f"process {pid}") for pid in lost)
