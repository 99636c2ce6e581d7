"""A process of a step is killed or stands still under load; the parts of the watch that sees it."""

import contextlib
import itertools
import os
import re
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from load import CLIENTS, SLOW, Load, add_slow_model, numbers_sent, under_load
from paths import SIGN
from server_unit.stand_ins import infer, sent
from serving import Served, answers, eventually, instances, serving

from ppocr_client import OcrClient
from ppocr_server.tritonserver.process_guard import shared_memory
from ppocr_server.tritonserver.server import TritonServer
from ppocr_server.watch.heartbeats import BEAT_SECONDS, Heartbeats, beats_of
from ppocr_server.watch.stubs import MUTEX_BYTES, Stub, Stubs
from ppocr_server.watch.supervise import unexpected_internals

PICTURE = SIGN.read_bytes()
RECOVERY_SECONDS = 60.0
STILL_SECONDS = 1.5


def beats_given(pid: int) -> tuple[int, int]:
    """The thread of a process's heartbeats, and how many it gave."""
    return beats_of(pid) or (0, 0)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has gone with its server
            os.kill(pid, signal.SIGCONT)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def stand_still(pid: int) -> None:
    """Stop a process for a while, as soon as the watch of a new server has seen it beat."""
    with stopped(watched(pid)):
        time.sleep(STILL_SECONDS)


def watched(pid: int) -> int:
    """A process of a server that has just become ready, as soon as the watch has seen it beat."""
    _, first = beats_given(pid)
    assert eventually(lambda: beats_given(pid)[1] > first + 5)
    return pid


def process_of(served: Served, step: str | None) -> int:
    """The process of a step, or of tritonserver, which may have been replaced."""
    *_, pid = served.ready["pid"], *map(int, re.findall(r", pid (\d+)", served.errors()))
    return pid if step is None else instances(pid)[f"{step}_0_0"]


def assert_replaced(served: Served, load: Load, times: int) -> None:
    """Whether the server is back and answers."""
    assert eventually(lambda: served.replaced(times), RECOVERY_SECONDS), served.errors()
    load.pass_requests(2 * CLIENTS)


@pytest.mark.server
def test_only_what_was_in_a_killed_process_is_lost(tmp_path):
    add_slow_model(tmp_path)
    with serving(tmp_path) as served:
        for times, step in enumerate([SLOW, None], 1):
            with numbers_sent(served.ready["grpc"]) as load:
                load.pass_requests(CLIENTS)
                kill(process_of(served, step))
                assert_replaced(served, load, times)
            # Of each client no more than the one request that it had on its way. One whose
            # connection breaks is sent again.
            assert len(load.failed) <= (CLIENTS if step else 0), load.failed
            assert [reason for reason in load.failed if "is not healthy" not in reason] == []
            assert set(load.answered) == {"right"}
        assert answers(f"{served.ready['http']}/v2/health/ready")


@pytest.mark.server
def test_no_answer_is_wrong_after_a_process_stood_still(tmp_path):
    add_slow_model(tmp_path)
    with serving(tmp_path) as served, numbers_sent(served.ready["grpc"]) as load:
        load.pass_requests(CLIENTS)
        stand_still(process_of(served, SLOW))
        assert_replaced(served, load, 1)
        assert f"the process of {SLOW}_0_0 had a request and gave no heartbeat" in served.errors()
        assert [reason for reason in load.failed if "is not healthy" not in reason] == []
        assert set(load.answered) == {"right"}
        assert answers(f"{served.ready['http']}/v2/health/ready")


@pytest.mark.server
@pytest.mark.nightly
@pytest.mark.parametrize("fault", [kill, stand_still])
def test_no_text_is_wrong_whichever_step_has_a_fault(fault, repository):
    with serving(repository) as served:
        url = f"grpc://{served.ready['grpc']}"
        with OcrClient(url) as client:
            expected = client.read(PICTURE).text
        for times, step in enumerate(["det_preprocess", "det", "recognize", "rec"], 1):
            with under_load(url, PICTURE, retries=100) as load:
                load.pass_requests(CLIENTS)
                fault(process_of(served, step))
                assert_replaced(served, load, times)
            assert fault is stand_still or len(load.failed) <= CLIENTS, load.failed
            assert set(load.answered) == {expected}


@pytest.mark.server
def test_a_process_without_a_request_is_left_alone_until_it_gets_one(tmp_path):
    add_slow_model(tmp_path, count=1)
    with serving(tmp_path) as served:
        pid = watched(instances(served.ready["pid"])[f"{SLOW}_0_0"])
        with stopped(pid):
            time.sleep(2 * STILL_SECONDS)
            assert "starting it again" not in served.errors()

            def ask() -> None:
                with (
                    contextlib.suppress(Exception),
                    grpcclient.InferenceServerClient(served.ready["grpc"]) as client,
                ):
                    infer(client, SLOW, X=np.zeros(1, np.float32))

            client = threading.Thread(target=ask)
            client.start()
            assert eventually(lambda: served.replaced(1), RECOVERY_SECONDS), served.errors()
            client.join()


@pytest.mark.server
def test_the_internals_of_the_stubs_are_as_expected(small_server):
    stubs = Stubs(small_server.pid)
    assert stubs.lost() == []
    assert unexpected_internals(stubs.known) == ""
    (pid,) = stubs.known
    assert stubs.known[pid].name == "small_0_0"
    began, (thread, first) = time.monotonic(), beats_given(pid)
    assert eventually(lambda: beats_given(pid)[1] >= first + 5)
    same, last = beats_given(pid)
    assert same == thread
    assert last - first <= (time.monotonic() - began) / BEAT_SECONDS + 2


@pytest.mark.server
def test_a_request_is_seen_from_its_arrival_to_its_answer(tmp_path):
    add_slow_model(tmp_path, count=1)
    with TritonServer(tmp_path, grace=0) as server:
        assert len(shared_memory(server.shared_memory_prefix)) == 1
        stubs = Stubs(server.pid)
        assert stubs.lost() == []
        (pid,) = stubs.known

        def active() -> bool:
            return stubs.active() == {pid}

        assert active()  # seen for the first time
        assert eventually(lambda: not active())
        with grpcclient.InferenceServerClient(server.grpc_url) as client:
            infer(client, SLOW, X=np.zeros(1, np.float32))
            assert active()  # it has ended since the last call
            assert eventually(lambda: not active())
            with stopped(pid):
                number = sent({"X": np.zeros(1, np.float32)})
                call = client.async_infer(SLOW, number, lambda result, error: None)
                assert eventually(active)
                assert active()
                call.cancel()


def region(tmp_path: Path, places: int, filled: int) -> Stub:
    """A region whose queue is at byte 1024."""
    data = bytearray(4096)
    struct.pack_into("<Q", data, 336 + 16 + 8 + 2 * MUTEX_BYTES, 1024)
    struct.pack_into("<II", data, 1024 + 16, 1000 - filled, 0)
    struct.pack_into("<II", data, 1024 + 48, filled, 1)
    struct.pack_into("<Q", data, 1024 + 80 + MUTEX_BYTES, places)
    (tmp_path / "region").write_bytes(data)
    return Stub("det_0_0", tmp_path / "region", control=336)


@pytest.mark.parametrize(
    ("places", "words"), [(1000, "gives no heartbeat"), (7, "no message queue at its place")]
)
def test_other_internals_are_noticed(places, words, tmp_path, monkeypatch):
    stub = region(tmp_path, places, filled=0)
    monkeypatch.setattr("ppocr_server.watch.supervise.stub_of", lambda pid: stub)
    assert words in unexpected_internals({1 << 30: stub}, seconds=0)


def test_a_region_that_is_gone_or_too_short_is_noticed(tmp_path):
    short = tmp_path / "short"
    short.write_bytes(bytes(100))
    for file, words in ((tmp_path / "gone", "cannot be read"), (short, "no message queue")):
        assert words in unexpected_internals({7: Stub("det_0_0", file, control=336)}, seconds=0)


def test_another_command_line_is_noticed():
    command = ["bash", "-c", "exec -a /x/triton_python_backend_stub sleep 60"]
    with subprocess.Popen(command) as other:
        stubs = Stubs(os.getpid())
        assert eventually(lambda: stubs.lost() == [] and other.pid in stubs.known)
        assert f"the command line of process {other.pid}" in unexpected_internals(stubs.known)
        other.kill()


def test_a_message_that_nobody_has_taken_is_a_request(tmp_path):
    stubs = Stubs(1 << 30)
    for filled, expected in ((0, {7}), (0, set()), (1, {7}), (1, {7}), (0, {7}), (0, set())):
        stubs.known = {7: region(tmp_path, 1000, filled)}
        assert stubs.active() == expected


def test_a_process_that_is_gone_has_no_heartbeat():
    assert beats_of(1 << 30) is None
    assert Heartbeats().stopped([1 << 30]) == []


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        # Seconds since the last look, heartbeats of process 7 and of 8; who stood still.
        ([(0.3, 0, 0), (0.3, 1, 1), (0.4, 1, 1), (0.45, 0, 1), (0.45, 0, 1)], [7]),
        ([(0.3, 0, 0), (0.3, 1, 1), (0.45, 0, 0), (0.45, 0, 0)], [7, 8]),
        ([(0.3, 0, 0), (0.3, 1, 1), (1.2, 0, 4)], [7]),  # and the watcher
        ([(0.3, 0, 0), (0.3, 1, 1), (5.0, 0, 0), (0.1, 0, 0), (0.1, 1, 1)], []),  # everything
        ([(0.4, 0, 1)] * 10, []),  # 7 never gave a heartbeat
    ],
)
def test_who_stood_still(looks, found):
    now, beats = [0.0], {7: 10, 8: 10}
    heartbeats = Heartbeats(lambda pid: (pid, beats[pid]), lambda: now[0])
    for number, (seconds, *gained) in enumerate(looks, 1):
        now[0] += seconds
        beats = {pid: beats[pid] + more for pid, more in zip(beats, gained, strict=True)}
        assert heartbeats.stopped(beats) == (found if number == len(looks) else [])


def test_a_watcher_held_up_while_it_counts_takes_that_for_no_silence():
    now, beats, pause = [0.0], {7: 0, 8: 0}, [0.0]

    def count(pid: int) -> tuple[int, int]:
        if pid == 8:  # held up between the two, who both go on
            now[0] += pause[0]
            beats.update({each: beats[each] + int(pause[0] / BEAT_SECONDS) for each in beats})
        return pid, beats[pid]

    heartbeats = Heartbeats(count, lambda: now[0])
    for gained, pause[0] in ((0, 0.0), (1, 0.0), (0, 1.5), (0, 0.0)):
        now[0] += 0.1
        beats.update({each: beats[each] + gained for each in beats})
        assert heartbeats.stopped([7, 8]) == []


def test_a_process_that_triton_ends_is_not_taken_for_a_stopped_one():
    # The thread of the heartbeats ends; the one that is second then has hardly slept, or never.
    looks = [(1, 60), (1, 61), *[(2, 1)] * 3, *[(2, 2)] * 10]
    seen = iter(looks)
    heartbeats = Heartbeats(lambda _: next(seen), itertools.count(0, 0.2).__next__)
    assert [heartbeats.stopped([7]) for _ in looks] == [[]] * len(looks)
