"""The clock on the wall jumps while tritonserver is being replaced."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest
from serving import answers, eventually, serving

pytestmark = pytest.mark.server
LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A file that says how far off the clock of `ppocr-serve` is."""
    file = tmp_path / "clock"
    file.write_text("+0\n")
    return file


def faked(clock: Path) -> dict[str, str]:
    """The environment in which Python programs see that time.

    Triton's own do not: of the calls that they wait with, not all can be given another clock.
    """
    package = importlib.util.find_spec("libfaketime")
    assert package is not None
    assert package.origin is not None
    return {
        "LD_PRELOAD": str(Path(package.origin).parent / LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_ONLY_CMDS": Path(sys.executable).name,
    }


def test_a_restart_is_not_put_off(small_repository: Path, clock: Path) -> None:
    with serving(small_repository, environment=faked(clock)) as served:
        clock.write_text("+3600\n")
        os.kill(served.ready["pid"], signal.SIGKILL)
        assert eventually(lambda: "starting it again" in served.errors())
        clock.write_text("-86400\n")
        assert eventually(lambda: "ready again" in served.errors(), 30)
        assert answers(f"{served.ready['http']}/v2/health/ready")
        served.process.terminate()
        assert served.process.wait(30) == 0
    for left in Path("/dev/shm").glob(f"*faketime_*_{served.process.pid}"):
        left.unlink()
