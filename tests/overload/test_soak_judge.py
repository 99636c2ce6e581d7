"""What a soak makes of what it has seen: flat or not, and who was lost."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_bench.errors import BenchError
from ppocr_bench.reporting.blocks import Figure
from ppocr_bench.reporting.page import html
from ppocr_bench.reporting.sections import sections
from ppocr_bench.soak.judge import BOUNDS, Bound, judge
from ppocr_bench.soak.look import Look, Looker
from ppocr_bench.soak.result import Soak, lost_processes, relative_latencies, verdicts

MEMORY = Bound("memory_mib", "MiB", share=0.05, more=32)
LOOK = Look(0.0, 800.0, 120.0, 8, 200, 90, (1, 2, 3))


def soak(looks: list[Look], latency: list[float], faults: list[str]) -> Soak:
    machine = {"command": "ppocr-bench soak", "processor": "one", "cores": 2, "memory_gib": 8}
    machine |= {"load": 0.1, "system": "Linux", "python": "3.11", "versions": {"numpy": "1"}}
    found = verdicts(looks, latency)
    counts = {"read": 90, "bad": 10}
    names = ["a.png"]
    return Soak(
        machine, "grpc://x", 1, 4, names, counts, faults, len(faults), looks, latency, found
    )


def test_a_warm_up_is_not_taken_for_a_leak() -> None:
    filling = [100.0 * step for step in range(1, 11)]
    assert judge(MEMORY, [*filling, *[1000.0] * 30]).ok


def test_a_leak_that_goes_on_is_found() -> None:
    verdict = judge(MEMORY, [500.0 + 4 * step for step in range(60)])
    assert not verdict.ok
    assert verdict.first < 600 < verdict.last


@given(st.lists(st.floats(400, 410), min_size=12, max_size=200))
def test_noise_within_the_bound_is_flat(values: list[float]) -> None:
    assert judge(MEMORY, values).ok


def test_single_outliers_do_not_count() -> None:
    values = [500.0] * 40
    values[-3] = 5000.0
    assert judge(MEMORY, values).ok


def test_too_few_values_cannot_be_judged() -> None:
    with pytest.raises(BenchError, match=r"only 3 values of memory_mib .* --minutes"):
        judge(MEMORY, [1.0, 1.0, 1.0])


def test_latency_is_that_of_each_picture_so_that_their_order_does_not_matter() -> None:
    first = [(float(at), "small", 0.1) for at in range(10)]
    later = [(float(at), "large", 2.0) for at in range(10, 20)]
    assert relative_latencies(first + later, 4) == [1, 1, 1, 1]
    slower = [(float(at), "small", 0.1 + 0.02 * at) for at in range(20)]
    found = relative_latencies(slower, 4)
    assert found == sorted(found)
    assert found[-1] > 1.5 * found[0]
    assert relative_latencies([], 4) == []


def test_a_process_that_ended_is_named() -> None:
    later = replace(LOOK, seconds=30.0, processes=(1, 3, 4))
    assert lost_processes([LOOK, LOOK]) == []
    (text,) = lost_processes([LOOK, later, later])
    assert "process 2 of the server ended within the first 30 s" in text


def test_all_figures_are_judged_and_shown() -> None:
    flat = [replace(LOOK, seconds=float(at)) for at in range(40)]
    good = soak(flat, [1.0] * 40, [])
    assert good.ok
    assert [verdict.name for verdict in good.verdicts] == [bound.name for bound in BOUNDS]
    text = "\n".join(good.lines())
    assert "PASS: 1 minutes, 4 clients, 100 requests (90 read, 10 bad), 0 faults" in text
    assert "memory 5% and 64 MiB" in text


@pytest.mark.parametrize("name", [bound.name for bound in BOUNDS])
def test_each_figure_alone_can_break_it(name: str) -> None:
    def value(at: int) -> dict[str, Any]:
        return {} if name == "latency" else {name: getattr(LOOK, name) + 20 * at}

    looks = [replace(LOOK, seconds=float(at), **value(at)) for at in range(40)]
    latency = [1.0 + (0.1 * at if name == "latency" else 0) for at in range(40)]
    found = soak(looks, latency, [])
    assert [verdict.name for verdict in found.verdicts if not verdict.ok] == [name]
    assert not found.ok


def test_one_wrong_answer_breaks_it() -> None:
    assert not soak([LOOK] * 40, [1.0] * 40, ["ocr, a.png: TEXTS differ from before"]).ok


def test_without_processes_there_is_latency_alone() -> None:
    found = soak([], [1.0] * 40, [])
    assert [verdict.name for verdict in found.verdicts] == ["latency"]


def test_it_is_a_section_of_the_report_with_charts() -> None:
    looks = [replace(LOOK, seconds=60.0 * at) for at in range(40)]
    result = {"verb": "soak", **soak(looks, [1.0] * 40, ["bad: answered"]).to_dict()}
    shown = sections([json.loads(json.dumps(result))])
    figures = [block.name for block in shown[0].blocks if isinstance(block, Figure)]
    assert figures == ["soak-memory", "soak-counts", "soak-latency"]
    page = html(shown, "soak")
    assert "bad: answered" in page
    assert 'class="bad"' in page


def test_looking_at_a_process() -> None:
    look = Looker(os.getpid()).look()
    assert os.getpid() in look.processes
    assert look.memory_mib > 10
    assert look.files > 2
    assert look.threads >= 1
    assert look.regions == 0


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(BenchError, match="process 4194999 is not there"):
        Looker(4194999)
