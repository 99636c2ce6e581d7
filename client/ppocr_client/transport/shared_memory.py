"""Big pictures for a server on the same machine, through memory that both of them see.

A region of memory is registered with the server once and used for one request after the other. It
is never used again while the server may still be reading it: one whose request was given up is
only ever unregistered. Its name is gone as soon as the server has it open, so nothing stays behind
in /dev/shm; what a client that was killed has left registered, the next one unregisters.
"""

from __future__ import annotations

import ipaddress
import mmap
import os
import secrets
import struct
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("/dev/shm")  # nosec B108 # the folder itself
SMALLEST = 8 * 2**20  # bytes; below it the bytes are sent about as fast
STEP = 8 * 2**20  # sizes of regions, so that one fits the next picture too
MOST_REGIONS = 8  # of a client, those included that were given up
PREFIX = "ppocr-client"
# Before this version a server crashes when a region that it reads is unregistered.
OLDEST_SERVER = 2, 50


class Shared(NamedTuple):
    """A BYTES tensor [1] that lies in a region."""

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
            # Unlike a hole, allocated memory cannot turn out to be missing while it is written.
            os.posix_fallocate(file, 0, self.size)
            self._memory = mmap.mmap(file, self.size)
        except OSError:
            self.unlink()
            raise
        finally:
            os.close(file)

    def write(self, data: bytes) -> Shared:
        """Put an encoded picture in, as the one element of a BYTES tensor."""
        struct.pack_into("<I", self._memory, 0, len(data))
        self._memory[4 : 4 + len(data)] = data
        return Shared(self.name, 4 + len(data))

    def unlink(self) -> None:
        """Take the name away; whoever has it open keeps the memory."""
        (FOLDER / self.name).unlink(missing_ok=True)


class SharedMemory:
    """A client's regions; used by several threads at the same time."""

    def __init__(self, host: str, *, secure: bool) -> None:
        """For a server at this host; it is used only where that is this machine itself."""
        self._usable = not secure and _is_loopback(host) and FOLDER.is_dir()
        self._lock = threading.Lock()
        self._idle: list[Region] = []
        self._given_up: set[str] = set()
        self._count = 0
        self.known = False  # whether the server has been asked what it is, and holds

    def wanted(self, size: int) -> bool:
        """Whether a picture of so many bytes is better off in a region."""
        return self._usable and size >= SMALLEST

    def refuse(self) -> None:
        """Use no region from now on: the server will have none."""
        self._usable = False

    def take(self, size: int) -> Region | None:
        """A registered region that is large enough, if one is idle."""
        with self._lock:
            for region in self._idle:
                if region.size >= size + 4:
                    self._idle.remove(region)
                    return region
        return None

    def create(self, size: int) -> Region | None:
        """A new region, to be registered; None if there are enough of them, or no room."""
        with self._lock:
            if self._count >= MOST_REGIONS:
                return None
            self._count += 1
        try:
            return Region(size)
        except OSError:
            self.forget()
            return None

    def give_back(self, region: Region) -> None:
        """Its request was answered: the server reads it no more."""
        with self._lock:
            self._idle.append(region)

    def give_up(self, region: Region) -> None:
        """Nobody knows whether the server still reads it."""
        with self._lock:
            self._given_up.add(region.name)

    def forget(self, name: str | None = None) -> None:
        """One region less: it was unregistered, or never registered."""
        with self._lock:
            self._given_up.discard(name or "")
            self._count -= 1

    def given_up(self) -> list[str]:
        """The regions that are to be unregistered as soon as the server allows it."""
        with self._lock:
            return list(self._given_up)

    def close(self) -> list[str]:
        """All regions, which are not used any more."""
        self._usable = False
        with self._lock:
            names = [*self._given_up, *(region.name for region in self._idle)]
            self._idle.clear()
        return names


def abandoned(names: Iterable[str]) -> list[str]:
    """Those of the registered regions whose client, a process of this machine, is no more."""
    found = []
    for name in names:
        owner = name.removeprefix(f"{PREFIX}-").partition("-")[0]
        if (
            name.startswith(f"{PREFIX}-")
            and owner.isdecimal()
            and not Path("/proc", owner).exists()
        ):
            found.append(name)
    return found


def can_share(version: str) -> bool:
    """Whether a server of this version, such as "2.51.0", may be given regions."""
    numbers = version.split(".")[:2]
    return all(map(str.isdecimal, numbers)) and tuple(map(int, numbers)) >= OLDEST_SERVER


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
