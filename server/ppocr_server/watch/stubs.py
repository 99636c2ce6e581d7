"""The stub processes in which Triton's Python backend runs instances of models.

Their arguments and the memory that they share with Triton are internals of the backend, here as of
Triton 2.51; `unexpected_internals` in supervise.py checks them before anything relies on them.
"""

from __future__ import annotations

import contextlib
import os
import platform
import struct
from dataclasses import dataclass
from pathlib import Path

from ppocr_server.tritonserver.process_guard import SHARED_MEMORY, processes

PROGRAM = "triton_python_backend_stub"
ENDED = "Z"
REGION, CONTROL, NAME = 2, 7, 8  # positions in a stub's command line

# Triton hands every request to a stub through a message queue in the stub's region, and the stub
# waits on that queue while it has nothing to do. On Linux with glibc the structures are, each
# behind 16 bytes of `AllocatedSharedMemory`:
#   IPCControlShm: 4 flags, 2 mutexes, the offset of the stub's queue
#   MessageQueueShm: semaphores of empty and of filled places, a mutex, the number of places, the
#     offset of the messages, the positions of the last and of the first one
HEADER_BYTES = 16
MUTEX_BYTES = {"x86_64": 40, "aarch64": 48}.get(platform.machine(), 0)  # glibc's pthread_mutex_t
QUEUE_OFFSET = HEADER_BYTES + 8 + 2 * MUTEX_BYTES
# A glibc semaphore of 32 bytes begins with its value and the number of threads that wait on it.
QUEUE = struct.Struct(f"<{HEADER_BYTES}x II24x II24x {MUTEX_BYTES}x Q 8x i")


class LayoutError(RuntimeError):
    """A region does not hold the structures that are expected."""


@dataclass(frozen=True)
class Stub:
    """One stub process.

    Attributes:
        name: the instance that it runs, such as "det_0_1".
        region: its shared-memory region, a file.
        control: offset in bytes of the backend's control structure in that region, 0 if the
            command line is not as expected.
    """

    name: str
    region: Path
    control: int


def stub_of(pid: int) -> Stub | None:
    """What a process's command line says of the stub that it is; None for every other process."""
    with contextlib.suppress(OSError):
        arguments = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").split("\0")
        if Path(arguments[0]).name == PROGRAM:
            try:
                region = SHARED_MEMORY / arguments[REGION].lstrip("/")
                return Stub(arguments[NAME], region, int(arguments[CONTROL]))
            except (IndexError, ValueError):
                return Stub(f"process {pid}", SHARED_MEMORY, 0)
    return None


def queue_state(stub: Stub) -> tuple[bool, int]:
    """Whether a stub has a message or works on one, and a number that changes with every message.

    Raises:
        LayoutError: its region cannot be read, or there is no queue at its place.
    """
    nothing = LayoutError(f"the region of {stub.name} holds no message queue at its place")
    try:
        with stub.region.open("rb", 0) as file:
            place = os.pread(file.fileno(), 8, stub.control + QUEUE_OFFSET)
            queue = os.pread(file.fileno(), QUEUE.size, int.from_bytes(place, "little"))
        empty, _, filled, waiting, places, position = QUEUE.unpack(queue)
    except OSError as error:
        raise LayoutError(f"{stub.region} cannot be read: {error.strerror}") from error
    except (OverflowError, struct.error):
        raise nothing from None
    # Messages that are being put in or taken out are in neither count.
    if not (0 < places <= 1 << 20 and places - 4 <= empty + filled <= places and waiting <= 1):
        raise nothing
    return bool(filled) or not waiting, position


class Stubs:
    """The stubs of one tritonserver.

    Attributes:
        known: those that `lost` saw last, by process id.
    """

    def __init__(self, tritonserver: int) -> None:
        """Watch the children of a process id."""
        self.known: dict[int, Stub] = {}
        self._parent = tritonserver
        self._names: dict[int, str] = {}
        self._ended: set[int] = set()
        self._states: dict[int, tuple[bool, int]] = {}

    def lost(self) -> list[str]:
        """The instances whose process ended although Triton did not end it.

        Triton reaps the processes that it ends itself, for instance when it reloads a model. A
        process that is a zombie in two successive calls ended by itself.
        """
        children = {pid: state for pid, state, parent, _ in processes() if parent == self._parent}
        ended = {pid for pid in children if children[pid] == ENDED}
        known = self.known | {pid: stub for pid in children if (stub := stub_of(pid)) is not None}
        self._names |= {pid: known[pid].name for pid in known}
        self.known = {pid: known[pid] for pid in children.keys() & known.keys() - ended}
        lost, self._ended = self._ended & ended, ended
        return sorted(self._names.get(pid, f"process {pid}") for pid in lost)

    def active(self) -> set[int]:
        """The process ids of the stubs that have a request, or had one at the last call or since.

        One that is seen for the first time, or whose region cannot be read, counts as active.
        """
        before, self._states = self._states, {}
        for pid, stub in self.known.items():
            with contextlib.suppress(LayoutError):
                self._states[pid] = queue_state(stub)
        idle = {pid for pid, now in self._states.items() if now == before.get(pid) and not now[0]}
        return self.known.keys() - idle
