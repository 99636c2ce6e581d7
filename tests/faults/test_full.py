"""A disk that is full while a repository is built, and a /dev/shm that is too small or full."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from paths import SIGN
from serving import FREE, SERVE, answers, serving
from work_folders import V4

from ppocr_client import OcrClient
from ppocr_client.errors import OcrError, ServerUnavailable
from ppocr_converters.files import sha256_files

CONVERT = Path(sys.executable).parent / "ppocr-convert"
LEFT = 1 << 20
SHARED_MEMORY = Path("/dev/shm")
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
def disk(repository, tmp_path) -> Iterator[SmallDisk]:
    """A disk with a repository that is served, and room for another one."""
    with small_disk(tmp_path, "100m") as small:
        shutil.copytree(repository, small.seen / "repository")
        yield small


def build_another(disk: SmallDisk) -> subprocess.CompletedProcess[str]:
    arguments = [*V4, "--out", disk.folder / "repository", "--profile", "cpu-onnxruntime"]
    command = disk.inside([CONVERT, "build", *arguments, "--det-concurrency", "1"])
    return subprocess.run(command, capture_output=True, text=True)


def test_the_old_repository_stays_and_a_build_succeeds_once_there_is_room(disk):
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


@pytest.mark.server
def test_too_little_to_start_is_told_before_and_after(small_repository):
    arguments = ["--model-repository", str(small_repository), *FREE, "--", "true"]
    with small_disk(SHARED_MEMORY, "512k") as disk:
        done = subprocess.run(
            disk.inside([*SERVE, *arguments]), capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 1
    told, failure = done.stderr.splitlines()[0], done.stderr.splitlines()[-1]
    assert "/dev/shm has 0 MiB free" in told
    assert "need 17 MiB for small pictures (small 17)" in told
    assert "docker run --shm-size" in told
    assert "model 'small' failed to load" in failure
    assert "shared memory" in failure
    assert "Traceback" not in done.stderr


@pytest.mark.server
def test_a_picture_that_fills_it_fails_alone(repository):
    picture = cv2.imread(str(SIGN))
    large = cv2.imencode(".jpg", cv2.resize(picture, (7000, 7000)))[1].tobytes()
    small = SIGN.read_bytes()
    with (
        small_disk(SHARED_MEMORY, "190m") as disk,
        serving(repository, "--grace", "0", inside=disk.inside) as served,
        OcrClient(f"grpc://{served.ready['grpc']}", retries=0, timeout=120) as client,
    ):
        expected = client.read(small).text
        with pytest.raises(OcrError) as refused:
            client.read(large)
        assert not isinstance(refused.value, ServerUnavailable), refused.value
        assert "shared memory" in refused.value.reason
        assert [client.read(small).text for _ in range(4)] == [expected] * 4
        assert answers(f"{served.ready['http']}/v2/health/ready")
        assert "restart" not in served.errors()
