"""A process stands still under load, as on a machine whose processor somebody else has."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from load import CLIENTS, under_load
from serving import answers, eventually, instances, serving

from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer
from ppocr_server.watch.heartbeats import (
    BEAT_SECONDS,
    SILENCE_SECONDS,
    Heartbeats,
    beats_of,
    silence,
)
from ppocr_server.watch.stub_processes import Steps

PICTURE = (Path(__file__).parents[2] / "samples" / "sign_vertical.jpg").read_bytes()
RECOVERY_SECONDS = 60.0
STILL_SECONDS = 1.5


@pytest.mark.server
@pytest.mark.parametrize(
    "step",
    ["rec", *(pytest.param(each, marks=pytest.mark.nightly) for each in ("det", "recognize"))],
)
def test_no_answer_is_wrong_and_the_server_is_replaced(step: str, repository: Path) -> None:
    with serving(repository) as served:
        url = f"grpc://{served.ready['grpc']}"
        with OcrClient(url) as client:
            expected = client.read(PICTURE).text
        with under_load(url, PICTURE, retries=100) as load:
            load.pass_requests(CLIENTS)
            stopped = instances(served.ready["pid"])[f"{step}_0_0"]
            os.kill(stopped, signal.SIGSTOP)
            time.sleep(STILL_SECONDS)
            with contextlib.suppress(ProcessLookupError):  # it has gone with its server
                os.kill(stopped, signal.SIGCONT)
            assert eventually(lambda: served.replaced(1), RECOVERY_SECONDS), served.errors()
            load.pass_requests(2 * CLIENTS)
        assert f"the process of {step}_0_0 stood still" in served.errors()
        assert [reason for reason in load.failed if "is not healthy" not in reason] == []
        assert set(load.answered) == {expected}
        assert answers(f"{served.ready['http']}/v2/health/ready")


@pytest.mark.server
def test_the_second_thread_gives_the_signs_of_life(server: TritonServer) -> None:
    steps = Steps(server.pid)
    assert steps.lost() == []
    assert {"det_0_0", "rec_0_1", "recognize_0_0"} < set(steps.names().values())

    def counted() -> list[int]:
        return [count for pid in steps.names() if (count := beats_of(pid)) is not None]

    before = counted()
    time.sleep(10 * BEAT_SECONDS)
    given = [after - count for count, after in zip(before, counted(), strict=True)]
    assert len(given) == len(steps.names())
    assert all(5 <= count <= 12 for count in given), given


def test_a_process_that_is_gone_gives_none() -> None:
    assert beats_of(1 << 30) is None
    assert Heartbeats().stopped([1 << 30]) == []


@pytest.mark.parametrize(
    ("before", "elapsed", "beats", "after"),
    [
        (0.0, 0.1, 0, 0.1),
        (0.7, 0.1, 0, 0.8),
        (0.7, 0.1, 1, 0.0),
        (0.2, 1.2, 4, 0.0),  # the watcher stood still, the process did not
        (0.2, 1.2, 1, 0.9),  # both did
    ],
)
def test_the_time_without_a_sign(before: float, elapsed: float, beats: int, after: float) -> None:
    assert silence(before, elapsed, beats) == pytest.approx(after)
    assert BEAT_SECONDS < SILENCE_SECONDS < 1


@pytest.fixture
def look() -> Callable[..., list[int]]:
    """Let time pass, and so many signs of life of process 7 and of 8; who stood still."""
    now, beats = [0.0], {7: 10, 8: 10}
    heartbeats = Heartbeats(beats.get, lambda: now[0])

    def looked(seconds: float, *gained: int) -> list[int]:
        now[0] += seconds
        beats.update({pid: beats[pid] + more for pid, more in zip(beats, gained, strict=True)})
        return heartbeats.stopped(beats)

    return looked


def test_one_stood_still(look: Callable[..., list[int]]) -> None:
    assert [look(0.3, 0, 0), look(0.3, 1, 1), look(0.4, 1, 1)] == [[], [], []]
    assert [look(0.45, 0, 1), look(0.45, 0, 1)] == [[], [7]]


def test_both_stood_still_but_not_the_watcher(look: Callable[..., list[int]]) -> None:
    assert [look(0.3, 0, 0), look(0.3, 1, 1), look(0.45, 0, 0)] == [[], [], []]
    assert look(0.45, 0, 0) == [7, 8]


def test_everything_stood_still(look: Callable[..., list[int]]) -> None:
    assert [look(0.3, 0, 0), look(0.3, 1, 1), look(5.0, 0, 0)] == [[], [], []]
    assert [look(0.1, 0, 0), look(0.1, 1, 1)] == [[], []]


def test_the_watcher_and_one_stood_still(look: Callable[..., list[int]]) -> None:
    assert [look(0.3, 0, 0), look(0.3, 1, 1)] == [[], []]
    assert look(1.2, 0, 4) == [7]


def test_what_never_gave_a_sign_is_not_missed(look: Callable[..., list[int]]) -> None:
    assert [look(0.4, 0, 1) for _ in range(10)] == [[]] * 10


def test_a_watcher_held_up_while_it_counts_takes_that_for_no_silence() -> None:
    now, beats, pause = [0.0], {7: 0, 8: 0}, [0.0]

    def count(pid: int) -> int:
        if pid == 8:  # held up between the two, who both go on
            now[0] += pause[0]
            beats.update({each: beats[each] + int(pause[0] / BEAT_SECONDS) for each in beats})
        return beats[pid]

    heartbeats = Heartbeats(count, lambda: now[0])
    for gained, pause[0] in ((0, 0.0), (1, 0.0), (0, 1.5), (0, 0.0)):
        now[0] += 0.1
        beats.update({each: beats[each] + gained for each in beats})
        assert heartbeats.stopped([7, 8]) == []
