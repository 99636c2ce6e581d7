"""The clock on the wall is set while a server is up, and while it is being replaced."""

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from load import CLIENTS, add_slow_model, numbers_sent
from serving import Served, answers, eventually, serving

from ppocr_server.watch.heartbeats import WallClock
from ppocr_server.watch.supervise import WATCH_SECONDS

pytestmark = pytest.mark.server
LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


@pytest.fixture
def clock(tmp_path) -> Path:
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


def test_a_clock_set_ahead_replaces_a_server_at_work_only(tmp_path, clock):
    repository = tmp_path / "models"
    add_slow_model(repository)
    with serving(repository, environment=faked(clock)) as served:
        time.sleep(4 * WATCH_SECONDS)
        clock.write_text("+2\n")
        time.sleep(4 * WATCH_SECONDS)
        assert "starting it again" not in served.errors()
        with numbers_sent(served.ready["grpc"]) as load:
            load.pass_requests(CLIENTS)
            clock.write_text("+4\n")
            assert eventually(lambda: served.replaced(1), 30), served.errors()
            load.pass_requests(CLIENTS)
            clock.write_text("-3600\n")
            load.pass_requests(CLIENTS)
        assert "the clock was set ahead by 2.0 s while requests were in prog" in served.errors()
        assert served.replaced(1)
        assert answers(f"{served.ready['http']}/v2/health/ready")
    forget(clock, served)


def test_a_restart_is_not_put_off(small_repository, clock):
    with serving(small_repository, environment=faked(clock)) as served:
        os.kill(served.ready["pid"], signal.SIGKILL)
        assert eventually(lambda: "starting it again" in served.errors())
        clock.write_text("-86400\n")
        assert eventually(lambda: served.replaced(1), 30)
        assert answers(f"{served.ready['http']}/v2/health/ready")
        served.process.terminate()
        assert served.process.wait(30) == 0
    forget(clock, served)


def forget(clock: Path, served: Served) -> None:
    """Remove what libfaketime leaves behind."""
    clock.unlink()
    for left in Path("/dev/shm").glob(f"*faketime_*_{served.process.pid}"):
        left.unlink()


def test_less_than_matters_to_triton_is_nothing():
    times = iter([100.0, 100.4, 99.0, 99.6, 101.0])
    clock = WallClock(lambda: next(times))
    assert [round(clock.set_ahead(), 3) for _ in range(4)] == [0, 0, 0.6, 1.4]
