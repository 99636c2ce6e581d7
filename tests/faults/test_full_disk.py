"""A disk that is full while a repository is built."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.small_disk import SmallDisk, small_disk
from work_folders import V4

from ppocr_converters.files import sha256_files

CONVERT = Path(sys.executable).parent / "ppocr-convert"
LEFT = 1 << 20


def fill(disk: SmallDisk) -> Path:
    """Leave a megabyte; returns the file that takes the rest."""
    filler = disk.seen / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            file.truncate(max(0, filler.stat().st_size - LEFT))
    return filler


@pytest.fixture
def disk(repository: Path, tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk with a repository that is served, and room for another one."""
    with small_disk(tmp_path, "100m") as small:
        shutil.copytree(repository, small.seen / "repository")
        yield small


def build_another(disk: SmallDisk) -> subprocess.CompletedProcess[str]:
    arguments = [*V4, "--out", disk.folder / "repository", "--profile", "cpu-onnxruntime"]
    command = disk.inside([CONVERT, "build", *arguments, "--det-concurrency", "1"])
    return subprocess.run(command, capture_output=True, text=True)


def test_the_old_repository_stays_and_a_build_succeeds_once_there_is_room(disk: SmallDisk) -> None:
    before = sha256_files(disk.seen / "repository")
    filler = fill(disk)
    done = build_another(disk)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert str(disk.folder) in last
    assert "No space left on device" in last
    assert "Traceback" not in done.stderr
    assert sha256_files(disk.seen / "repository") == before
    assert {path.name for path in disk.seen.iterdir()} <= {"repository", "filler", ".lock"}

    filler.unlink()
    done = build_another(disk)
    assert done.returncode == 0, done.stderr
    assert sha256_files(disk.seen / "repository") != before
