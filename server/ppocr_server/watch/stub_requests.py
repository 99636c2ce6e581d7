"""Which stub processes have a request, read from the memory that they share with Triton.

The Python backend of Triton 2.51 hands every request to a stub through a message queue in its
shared-memory region, and the stub waits on that queue while it has nothing to do. The backend's
structures, on Linux with glibc (`AllocatedSharedMemory` puts 16 bytes before each):

    IPCControlShm: 4 flags, 2 mutexes, the offset of the stub's queue
    MessageQueueShm: semaphores of empty and of filled places, a mutex, the number of places, the
        offset of the messages, the positions of the last and of the first one

`stub_internals.py` checks them before anything relies on them.
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ppocr_server.watch.stub_processes import Stub

HEADER_BYTES = 16
MUTEX_BYTES = {"x86_64": 40, "aarch64": 48}.get(platform.machine(), 0)  # glibc's pthread_mutex_t
QUEUE_OFFSET = HEADER_BYTES + 8 + 2 * MUTEX_BYTES
# A glibc semaphore of 32 bytes begins with its value and the number of threads that wait on it.
QUEUE = struct.Struct(f"<{HEADER_BYTES}x II24x II24x {MUTEX_BYTES}x Q 8x i")


class LayoutError(RuntimeError):
    """A region does not hold the structures that are expected."""


@dataclass(frozen=True)
class QueueState:
    """The message queue of one stub.

    Attributes:
        busy: a message waits in the queue, or the stub works on one.
        position: changes with every message.
    """

    busy: bool
    position: int


class Region:
    """One stub's region, open for reading."""

    def __init__(self, stub: Stub) -> None:
        """Open it.

        Raises:
            LayoutError: it cannot be read, or does not hold the structures that are expected.
        """
        try:
            self._file = os.open(stub.region, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise LayoutError(f"{stub.region} cannot be read: {error.strerror}") from error
        self._name = stub.name
        try:
            (self._queue,) = self._read(struct.Struct("<Q"), stub.control + QUEUE_OFFSET)
            self.state()
        except LayoutError:
            self.close()
            raise

    def state(self) -> QueueState:
        """The stub's queue now.

        Raises:
            LayoutError: there is no queue at its place.
        """
        empty, _, filled, waiting, places, position = self._read(QUEUE, self._queue)
        # Messages that are being put in or taken out are in neither count.
        if not (0 < places <= 1 << 20 and places - 4 <= empty + filled <= places and waiting <= 1):
            raise LayoutError(f"the region of {self._name} holds no message queue at its place")
        return QueueState(bool(filled) or not waiting, position)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _read(self, layout: struct.Struct, offset: int) -> tuple[int, ...]:
        data = os.pread(self._file, layout.size, offset) if offset < 1 << 62 else b""
        if len(data) < layout.size:
            raise LayoutError(f"the region of {self._name} ends before byte {offset + layout.size}")
        return layout.unpack(data)


class StubRequests:
    """Reads the queues of stubs again and again."""

    def __init__(self) -> None:
        """Nothing is open before the first call."""
        self._regions: dict[int, Region] = {}
        self._states: dict[int, QueueState] = {}

    def close(self) -> None:
        """Close all regions."""
        for region in self._regions.values():
            region.close()

    def active(self, stubs: Mapping[int, Stub]) -> set[int]:
        """The process ids of the stubs that have a request, or had one at the last call or since.

        One that is seen for the first time, or whose region cannot be read, counts as active.
        """
        for pid in self._regions.keys() - stubs.keys():
            self._regions.pop(pid).close()
            self._states.pop(pid, None)
        return {pid for pid, stub in stubs.items() if self._is_active(pid, stub)}

    def _is_active(self, pid: int, stub: Stub) -> bool:
        before = self._states.pop(pid, None)
        try:
            if pid not in self._regions:
                self._regions[pid] = Region(stub)
            now = self._states[pid] = self._regions[pid].state()
        except LayoutError:
            return True
        return now.busy or now != before
