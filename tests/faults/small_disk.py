"""A mount of a few megabytes that nobody else sees."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Who is not root is root of a namespace of his own, where that is allowed.
UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo mounted && exec cat'


@dataclass(frozen=True)
class SmallDisk:
    """A mount namespace with one small file system.

    Attributes:
        folder: where that is mounted.
        seen: the same folder as this process reaches it.
    """

    holder: int
    folder: Path
    seen: Path

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """A command line that runs a command where the small file system is."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        enter = ["nsenter", f"--target={self.holder}", "--mount", *user]
        return [*enter, "env", f"--chdir={Path.cwd()}", *map(str, command)]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[SmallDisk]:
    """Mount an empty file system of some size ("64m") while the block runs.

    The test is skipped where that is not permitted.
    """
    command = [*UNSHARE, "sh", "-c", MOUNT, "sh", size, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        try:
            if holder.stdout.readline() != "mounted\n":
                pytest.skip(f"no file system can be mounted here: {holder.stderr.read().strip()}")
            seen = Path(f"/proc/{holder.pid}/root{folder}")
            yield SmallDisk(holder.pid, folder, seen)
        finally:
            holder.stdin.close()
