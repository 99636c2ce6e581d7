"""A tritonserver that ends by itself is started again, within bounds; one told to end ends."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import SIGN
from server_unit.tiny_models import add_model, config, plus_one
from serving import Served, answers, eventually, is_gone, serving

from ppocr_client import OcrClient
from ppocr_client.errors import OcrError, ServerBusy, ServerUnavailable
from ppocr_client.errors import ServerError as Failed
from ppocr_server.errors import KilledError, ServerError
from ppocr_server.tritonserver.process_guard import leftovers, shared_memory
from ppocr_server.tritonserver.server import TritonServer
from ppocr_server.watch.supervise import LONGEST_PAUSE_SECONDS, pause_before, supervise

pytestmark = pytest.mark.server
RECOVERY_SECONDS = 30.0
REQUESTS = 50
GRACE = 3
# Killing, collecting and unlinking, on a machine that has other things to do.
MARGIN = 15.0


def ready(served: Served) -> bool:
    return answers(f"{served.ready['http']}/v2/health/ready")


def pid_again(served: Served) -> int:
    """The process id of the tritonserver that was started again, once it is ready."""
    assert eventually(lambda: "ready again" in served.errors(), RECOVERY_SECONDS)
    return int(served.errors().rsplit("pid ", 1)[1])


def kill_and_wait(pid: int) -> None:
    """End a tritonserver as the kernel does when memory is short; return when it is gone."""
    session = os.getsid(pid)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{session}").exists())


def test_it_is_back_on_the_same_ports_until_no_restart_is_left(small_repository):
    with serving(small_repository, "--restarts", "1") as served:
        session = os.getsid(served.ready["pid"])
        kill_and_wait(served.ready["pid"])
        assert not ready(served)
        assert eventually(lambda: ready(served), RECOVERY_SECONDS)
        assert eventually(lambda: answers(f"{served.ready['metrics']}/metrics"))
        assert leftovers(session) == []
        told = served.errors()
        assert "ended by itself with status 137; starting it again in 0.5 s, restart 1 of 1" in told
        session = os.getsid(pid_again(served))
        kill_and_wait(pid_again(served))
        assert served.process.wait(20) == 1
        assert "has been restarted 1 times within 600 s, which is all" in served.errors()
        assert is_gone(session, f"ppocr-{served.process.pid}-")


def test_what_cannot_be_loaded_again_is_told_until_a_signal_ends_it(tmp_path):
    weights = tmp_path / "small" / "1" / "model.onnx"
    add_model(tmp_path, "small", config(), plus_one())
    with serving(tmp_path, "--restarts", "9") as served:
        weights.write_bytes(weights.read_bytes()[:-20])
        kill_and_wait(served.ready["pid"])
        assert eventually(lambda: "restart 3 of 9" in served.errors(), RECOVERY_SECONDS)
        last = served.errors().splitlines()[-1]
        assert "model 'small' failed to load" in last
        assert str(weights) in last
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 0
        assert not shared_memory(f"ppocr-{served.process.pid}-")


def test_a_failure_of_the_last_restart_is_the_reason(monkeypatch):
    class Broken(TritonServer):
        def poll(self) -> int:
            return 139

        def restart(self) -> None:
            raise ServerError("model 'rec' failed to load")

    monkeypatch.setattr("ppocr_server.watch.supervise.FIRST_PAUSE_SECONDS", 0.0)
    server = Broken("nowhere")
    server.pid = 1 << 30
    for restarts, reason in ((0, "ended by itself with status 139$"), (2, "model 'rec' failed to")):
        with pytest.raises(ServerError, match=reason):
            supervise(server, restarts, lambda: None)


@contextlib.contextmanager
def killing(server: TritonServer, number: signal.Signals, times: int) -> Iterator[set[int]]:
    """Send a signal to each tritonserver as soon as it has a process id, a number of times."""
    over, killed = threading.Event(), set[int]()

    def kill() -> None:
        while not over.is_set() and len(killed) < times:
            if hasattr(server, "pid") and server.pid not in killed:
                killed.add(server.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(server.pid, number)
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        over.set()
        killer.join()


def test_a_start_that_a_signal_ended_is_tried_again(small_repository):
    server = TritonServer(small_repository, grace=0)
    with killing(server, signal.SIGKILL, times=1) as killed, server:
        assert len(killed) == 1
        assert server.pid not in killed
        assert answers(f"{server.http_url}/v2/health/ready")


def test_a_start_that_signals_end_every_time_fails(small_repository):
    server = TritonServer(small_repository, grace=0)
    with (
        killing(server, signal.SIGABRT, times=3),
        pytest.raises(KilledError, match="SIGABRT ended tritonserver while starting"),
    ):
        server.start()


def test_pauses_grow_to_a_bound():
    pauses = [pause_before([0.0] * count) for count in range(12)]
    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_every_request_ends_within_the_grace_time(repository):
    ends: list[OcrError | None] = []

    def read(url: str) -> None:
        with OcrClient(url, retries=0, timeout=120) as client:
            try:
                client.read(SIGN)
                ends.append(None)
            except OcrError as error:
                ends.append(error)

    with serving(repository, "--grace", str(GRACE)) as served:
        session = os.getsid(served.ready["pid"])
        url = f"grpc://{served.ready['grpc']}"
        clients = [threading.Thread(target=read, args=(url,)) for _ in range(REQUESTS)]
        for client in clients:
            client.start()
        assert eventually(lambda: None in ends, 60)
        asked = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        for client in clients:
            client.join()
        assert time.monotonic() - asked < GRACE + MARGIN
        assert served.process.wait(MARGIN) == 0
        assert len(ends) == REQUESTS
        errors = [error for error in ends if error is not None]
        # Some were too many from the start. What `rec` is asked fails as the step that asks.
        clear = ServerUnavailable | Failed | ServerBusy
        others = [error for error in errors if not isinstance(error, clear)]
        assert others == []
        assert all(error.reason for error in errors)
        assert is_gone(session, f"ppocr-{served.process.pid}-")
