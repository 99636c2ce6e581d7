"""Plans, from results with small made-up figures: none of them was measured anywhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from ppocr_bench.cli import main
from ppocr_bench.errors import BenchError
from ppocr_bench.verbs.plan import costs_of, read_costs

CPU_MS = {"det_preprocess": 8, "det": 100, "recognize": 8, "rec": 160, "tritonserver": 8}
WORK_MS = {**CPU_MS, "recognize": 88, "rec": 150}
#: Where the networks have no processes of their own.
STEPS_ALONE = {"det_preprocess", "recognize", "tritonserver"}


def point(rate: float, p99_ms: float, cores: float, **more: Any) -> dict[str, Any]:
    figures = {"pictures_per_second": rate, "p99_ms": p99_ms, "cores": cores, "cpu_ms": 284.0}
    return {**figures, "error": None, "memory_mib": 1024.0, **more}


def sweep(*points: dict[str, Any], own: set[str] | None = None) -> dict[str, Any]:
    """A page has 8 lines; steps outside `own` have no process of their own."""
    steps = [
        {"step": step, "work_ms": WORK_MS[step], "calls": 4.0, "batch": 2.0}
        | {"cpu_ms": float(ms) if own is None or step in own else None}
        for step, ms in CPU_MS.items()
    ]
    tables = {"points": {"rows": list(points)}, "steps": {"rows": steps}}
    return {"verb": "sweep", "settings": {"cores": 2}, "tables": tables}


QUIET, BUSY = point(3.0, 300.0, 1.0), point(7.0, 1200.0, 2.0)


def saved(folder: Path, result: dict[str, Any]) -> Path:
    path = folder / f"{result['verb']}.json"
    path.write_text(json.dumps(result))
    return path


def plan(
    capsys: pytest.CaptureFixture[str], costs: Path, *args: object
) -> tuple[int, dict[str, Any]]:
    words = ["--json", "--lines", "8", "--cores", "2", "--costs", costs, *args]
    code = main(["plan", *map(str, words)])
    return code, json.loads(capsys.readouterr().out or "{}")


def test_costs_are_those_at_the_highest_throughput_by_page_and_line():
    costs = costs_of(sweep(QUIET, BUSY), 4)
    assert costs.measured_lines == 8
    assert costs.cpu_ms == {**CPU_MS, "recognize": 4, "rec": 80}
    assert costs.memory_gib_a_core == 0.5
    assert costs.loads == [(300.0, 0.5), (1200.0, 1.0)]


def test_networks_inside_the_server_share_its_processor_time():
    costs = costs_of(sweep(BUSY, own=STEPS_ALONE), 8)
    assert "tritonserver" not in costs.cpu_ms
    assert costs.cpu_ms["det"] == pytest.approx(8 * 100 / 250)
    assert costs.cpu_ms["rec"] == pytest.approx(8 * 150 / 250)


def test_a_plan_has_enough_replicas_and_a_spare_one(tmp_path, capsys):
    path, more = saved(tmp_path, sweep(QUIET, BUSY)), ["--utilisation", 0.5]
    code, found = plan(capsys, path, "--rate", 20, *more)
    settings = found["settings"]
    assert code == 0
    assert (settings["working"], settings["replicas"]) == (6, 7)  # 20 / (2 / 0.284 / 2)
    assert settings["memory_gib_a_replica"] == 1.0
    assert settings["most_per_second"] == pytest.approx(2 / 0.284)
    assert "filled to 47%, at most 50%" in found["summary"]  # 20 / 6 / (2 / 0.284)


def test_a_latency_limit_fills_processors_as_far_as_it_was_kept(tmp_path, capsys):
    path = saved(tmp_path, sweep(QUIET, BUSY))
    code, found = plan(capsys, path, "--rate", 20, "--max-p99-ms", 500)
    assert (code, found["settings"]["utilisation"], found["settings"]["working"]) == (0, 0.5, 6)
    code, found = plan(capsys, path, "--rate", 20, "--max-p99-ms", 200)
    assert (code, found["ok"]) == (1, False)
    assert found["notes"] == ["no load that was measured was answered within 200.0 ms"]


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({"verb": "parity", "tables": {}}, "a result of `parity`, tells no costs"),
        (sweep(), "no processor time"),
        (sweep({**BUSY, "cpu_ms": None}), "no processor time"),
        (sweep({**BUSY, "gpus": 1.0}), "ran on a GPU"),
        (sweep(BUSY) | {"tables": {"points": {"rows": [BUSY]}, "steps": {"rows": []}}}, "no text"),
    ],
)
def test_costs_that_are_not_there_are_not_made_up(tmp_path, result, problem):
    with pytest.raises(BenchError, match=f"{problem}(?s:.*)run `ppocr-bench sweep"):
        read_costs(saved(tmp_path, result), 8)
