"""Shared memory regions for large pictures on the server's own machine.

A region is registered with the server once and used for one request after the other. A region
whose request was abandoned may still be read by the server, so it is only unregistered, never used
again. Its name is unlinked as soon as the server has opened it, so nothing stays in /dev/shm. What
a killed client has left registered is unregistered by the next client.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ppocr_client.transport.addresses import is_loopback

FOLDER = Path("/dev/shm")  # nosec B108 # the folder itself
SMALLEST = 8 * 2**20  # bytes; smaller pictures are sent about as fast
STEP = 8 * 2**20  # region sizes are multiples of it, so that one fits the next picture too
MOST_REGIONS = 8  # of a client, abandoned ones included
PREFIX = "ppocr-client"
# An older server crashes when a region is unregistered while it is read.
OLDEST_SERVER = 2, 50


class SharedTensor(NamedTuple):
    """A BYTES tensor [1] in a region."""

    region: str
    size: int


class Region:
    """Memory that has a name until it is registered."""

    def __init__(self, size: int) -> None:
        """Create it.

        Raises:
            OSError: If there is no room.
        """
        self.size = -(-(size + 4) // STEP) * STEP
        self.name = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(8)}"
        file = os.open(FOLDER / self.name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            # Unlike a sparse file, allocated memory cannot run out while it is written (SIGBUS).
            os.posix_fallocate(file, 0, self.size)
            self._memory = mmap.mmap(file, self.size)
        except OSError:
            self.unlink()
            raise
        finally:
            os.close(file)

    def write(self, data: bytes) -> SharedTensor:
        """Write an encoded picture as the only element of a BYTES tensor."""
        struct.pack_into("<I", self._memory, 0, len(data))
        self._memory[4 : 4 + len(data)] = data
        return SharedTensor(self.name, 4 + len(data))

    def unlink(self) -> None:
        """Remove the name; whoever has the region open keeps the memory."""
        (FOLDER / self.name).unlink(missing_ok=True)


class RegionPool:
    """A client's regions; several threads use it at the same time."""

    def __init__(self, host: str, *, secure: bool) -> None:
        """For a server at `host`; used only if that is this machine itself."""
        self._enabled = not secure and is_loopback(host) and FOLDER.is_dir()
        self._lock = threading.Lock()
        self._idle: list[Region] = []
        self._abandoned: set[str] = set()
        self._count = 0
        self.checked = False  # whether the server's version and its regions have been looked at

    def suits(self, size: int) -> bool:
        """Whether a picture of `size` bytes should travel in a region."""
        return self._enabled and size >= SMALLEST

    def disable(self) -> None:
        """Use no region from now on."""
        self._enabled = False

    def acquire(self, size: int) -> Region | None:
        """A registered region that is idle and large enough, if there is one."""
        with self._lock:
            for region in self._idle:
                if region.size >= size + 4:
                    self._idle.remove(region)
                    return region
        return None

    def create(self, size: int) -> Region | None:
        """A new region, to be registered; None if there are too many, or no memory."""
        with self._lock:
            if self._count >= MOST_REGIONS:
                return None
            self._count += 1
        try:
            return Region(size)
        except OSError:
            self.drop()
            return None

    def release(self, region: Region) -> None:
        """Its request was answered: it is idle."""
        with self._lock:
            self._idle.append(region)

    def abandon(self, region: Region) -> None:
        """Its request was not answered: the server may still read it."""
        with self._lock:
            self._abandoned.add(region.name)

    def drop(self, name: str | None = None) -> None:
        """Count one region less: it was unregistered, or never registered."""
        with self._lock:
            self._abandoned.discard(name or "")
            self._count -= 1

    def abandoned(self) -> list[str]:
        """The regions to be unregistered as soon as the server allows it."""
        with self._lock:
            return list(self._abandoned)

    def close(self) -> list[str]:
        """Use no region from now on; the names of all that are idle or abandoned."""
        self.disable()
        with self._lock:
            names = [*self._abandoned, *(region.name for region in self._idle)]
            self._idle.clear()
        return names


def orphans(names: Iterable[str]) -> list[str]:
    """Those of the registered regions whose client, a process of this machine, has ended."""
    found = []
    for name in names:
        owner = name.removeprefix(f"{PREFIX}-").partition("-")[0]
        ours = name.startswith(f"{PREFIX}-") and owner.isdecimal()
        if ours and not Path("/proc", owner).exists():
            found.append(name)
    return found


def supports_regions(version: str) -> bool:
    """Whether a server of this version, such as "2.51.0", may be given regions."""
    numbers = version.split(".")[:2]
    return all(map(str.isdecimal, numbers)) and tuple(map(int, numbers)) >= OLDEST_SERVER
