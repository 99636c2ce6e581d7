"""What a soak makes of what it has seen: flat or not, and who was lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_bench.errors import BenchError
from ppocr_bench.processes import Snapshot
from ppocr_bench.record import Answer, Result
from ppocr_bench.soak_workload import Outcome
from ppocr_bench.verbs.soak import BOUNDS, judge, lost_processes, relative_latencies, verdict

MEMORY = "memory_mib"
SNAPSHOT = Snapshot(0.0, 800.0, 120.0, 8, 200, 90, (1, 2, 3))
FLAT = [SNAPSHOT._replace(seconds=float(at)) for at in range(40)]
COUNTS = {"read": 90, "bad": 10}


def soak(snapshots: list[Snapshot], latency: list[float], *faults: str) -> Result:
    return judge(snapshots, latency, faults, COUNTS, 1.0)


def read(picture: str, at: float, seconds: float) -> Answer:
    return Answer(0, "OK", at - seconds, at, Outcome("read", picture))


def test_a_warm_up_is_not_taken_for_a_leak() -> None:
    filling = [100.0 * step for step in range(1, 11)]
    assert verdict(MEMORY, [*filling, *[1000.0] * 30])["flat"]


def test_a_leak_that_goes_on_is_found() -> None:
    found = verdict(MEMORY, [500.0 + 6 * step for step in range(60)])
    assert not found["flat"]
    assert found["first_third"] < 700 < found["last_third"]


@given(st.lists(st.floats(400, 410), min_size=12, max_size=200))
def test_noise_within_the_bound_is_flat(values: list[float]) -> None:
    assert verdict(MEMORY, values)["flat"]


def test_single_outliers_do_not_count() -> None:
    values = [500.0] * 40
    values[-3] = 5000.0
    assert verdict(MEMORY, values)["flat"]


def test_too_few_values_cannot_be_judged() -> None:
    with pytest.raises(BenchError, match=r"only 3 values of memory_mib .* --minutes"):
        verdict(MEMORY, [1.0, 1.0, 1.0])


def test_latency_is_that_of_each_picture_so_that_their_order_does_not_matter() -> None:
    first = [read("small", float(at), 0.1) for at in range(10)]
    later = [read("large", float(at), 2.0) for at in range(10, 20)]
    assert relative_latencies(later + first) == pytest.approx([1.0] * 20)
    slower = [read("small", float(at), 0.1 + 0.02 * at) for at in range(20)]
    assert not verdict("latency", relative_latencies(slower))["flat"]
    assert relative_latencies([]) == []


def test_a_process_that_ended_is_named() -> None:
    later = SNAPSHOT._replace(seconds=30.0, processes=(1, 3, 4))
    assert lost_processes([SNAPSHOT, SNAPSHOT]) == []
    (text,) = lost_processes([SNAPSHOT, later, later])
    assert "process 2 of the server ended within the first 30 s" in text


def test_all_figures_are_judged() -> None:
    good = soak(FLAT, [1.0] * 40)
    assert good.ok
    figures = [one["figure"] for one in good.tables["verdicts"].rows]
    assert figures == list(BOUNDS)
    assert "1 minutes, 100 requests (10 bad, 90 read), 0 faults" in good.summary
    assert good.tables["verdicts"].rows[0]["allowed"] == pytest.approx(800 * 1.05 + 64)


@pytest.mark.parametrize("name", BOUNDS)
def test_each_figure_alone_can_break_it(name: str) -> None:
    def grown(one: Snapshot) -> dict[str, Any]:
        return {} if name == "latency" else {name: getattr(one, name) + 20 * one.seconds}

    snapshots = [one._replace(**grown(one)) for one in FLAT]
    latency = [1.0 + (0.1 * at if name == "latency" else 0) for at in range(40)]
    found = soak(snapshots, latency)
    rows = found.tables["verdicts"].rows
    assert [one["figure"] for one in rows if not one["flat"]] == [name]
    assert not found.ok


def test_one_wrong_answer_breaks_it() -> None:
    assert not soak(FLAT, [1.0] * 40, "ocr, a.png: TEXTS differ from before").ok


def test_without_processes_there_is_latency_alone() -> None:
    found = soak([], [1.0] * 40)
    assert [one["figure"] for one in found.tables["verdicts"].rows] == ["latency"]
