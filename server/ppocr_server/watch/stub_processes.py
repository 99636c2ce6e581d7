"""The processes in which tritonserver runs instances of models: which of them were lost."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ppocr_server.tritonserver.process_guard import processes

ENDED = "Z"
NAME = 8  # the place of the instance's name in a stub's command line


class Steps:
    """Watches the processes of one tritonserver."""

    def __init__(self, tritonserver: int) -> None:
        """Watch the children of a process id."""
        self._parent = tritonserver
        self._names: dict[int, str] = {}
        self._ended: set[int] = set()

    def names(self) -> dict[int, str]:
        """The instances that were there at the last look, by their process ids."""
        return self._names

    def lost(self) -> list[str]:
        """The instances ("det_0_1") whose process has ended without Triton's doing.

        Triton collects what it ends itself, when a model is loaded anew for instance. One that has
        ended and lies there still, from one call of this to the next, ended by itself.
        """
        children = {pid: state for pid, state, parent, _ in processes() if parent == self._parent}
        self._names = {pid: self._names.get(pid) or instance_of(pid) for pid in children}
        before, self._ended = self._ended, {pid for pid in children if children[pid] == ENDED}
        return sorted(self._names[pid] for pid in before & self._ended)


def instance_of(pid: int) -> str:
    """The instance that a stub of Triton's Python backend runs, as it was told."""
    with contextlib.suppress(OSError):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if len(arguments) > NAME:
            return arguments[NAME].decode()
    return f"process {pid}"
