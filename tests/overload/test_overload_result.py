"""What `ppocr-bench overload` makes of what it has seen, and the whole verb on the real server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ppocr_bench.cli import main
from ppocr_bench.overload.load import Answer, Window
from ppocr_bench.overload.result import Load, Overload, Recovery, load_of
from ppocr_converters.pictures.render import encode_page, render_page

WINDOW = Window(
    10.0,
    20.0,
    [
        Answer("OK", 9.0, 9.5),  # before it
        Answer("OK", 9.0, 12.0),
        Answer("OK", 12.0, 13.0),
        Answer("UNAVAILABLE", 12.0, 12.002),
        Answer("INTERNAL", 12.0, 13.0),
        Answer("OK", 19.0, 24.0),  # owed at the end
        Answer("OK", 20.5, 25.0),  # sent after it
    ],
)


def load(kind: str, served: float, cpu_ms: float | None = None) -> Load:
    return replace(load_of(kind, Window(0.0, 1.0), None), served=served, cpu_ms=cpu_ms)


def overload(*recoveries: Recovery, same: bool = True) -> Overload:
    loads = [load("peak", 4, 100.0), load("overload", 4.5, 105.0), load("peak", 6, 100.0)]
    return Overload({}, "grpc://HOST:1", "page", 10.0, loads, list(recoveries), same)


def test_a_window_counts_what_came_inside_it() -> None:
    found = load_of("overload", WINDOW, 0.5)
    assert (found.served, found.refused, found.failures) == (0.2, 0.1, {"INTERNAL": 1})
    assert (found.served_ms, found.served_p99_ms) == (3000.0, 3000.0)
    assert found.refused_ms == pytest.approx(2.0)
    assert found.cpu_ms == 100.0  # of all five that were served
    assert WINDOW.owed == 1


def test_it_passes_with_nine_tenths_of_the_peak_and_nothing_late() -> None:
    good = overload(Recovery(6.0, 20))
    assert (good.kept, good.work, good.ok) == (0.9, 1.05, True)
    less = [good.loads[0], replace(good.loads[1], served=4.4), good.loads[2]]
    assert not replace(good, loads=less).ok
    failed = [good.loads[0], replace(good.loads[1], failures={"INTERNAL": 1}), good.loads[2]]
    assert not replace(good, loads=failed).ok
    assert not overload(Recovery(6.0, 20), same=False).ok


def test_to_read_what_was_let_in_is_not_late() -> None:
    assert overload(Recovery(7.9, 20)).ok  # 20 at 5 a second, a quarter more, and 3 seconds
    assert not overload(Recovery(1.0, 20), Recovery(8.1, 20)).ok


@pytest.mark.server
def test_the_verb_says_what_it_saw(repository: Path, tmp_path: Path) -> None:
    page, out = tmp_path / "page.png", tmp_path / "overload.json"
    page.write_bytes(encode_page(render_page(seed=3, lines=3, width=480)))
    command = ["overload", "--repository", str(repository), "--no-samples", "--out", str(out)]
    code = main([*command, "--images", str(page), "--seconds", "3", "--rounds", "1"])
    found = json.loads(out.read_text("utf-8"))
    # Whether nine tenths are kept in so short a time depends on who else is on the machine.
    assert code == (0 if found["ok"] else 1)
    assert [load["kind"] for load in found["loads"]] == ["peak", "overload", "peak"]
    assert [load["failures"] for load in found["loads"]] == [{}, {}, {}]
    assert found["loads"][0]["refused"] == 0 < found["loads"][1]["refused"]
    assert all(load["served"] > 0 and load["cpu_ms"] > 0 for load in found["loads"])
    assert found["same"]
    assert found["recoveries"][0]["seconds"] > 0
