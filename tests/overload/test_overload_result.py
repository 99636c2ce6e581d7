"""What `ppocr-bench overload` makes of what it has seen, and the whole verb on the real server."""

import json
from typing import Any

import pytest

from ppocr_bench.cli import main
from ppocr_bench.record import Answer, Result, Run
from ppocr_bench.verbs.overload import figures, judge
from ppocr_converters.pictures.render import encode_page, render_page

RUN = Run(
    10.0,
    20.0,
    [
        Answer(0, "OK", 9.0, 9.5),  # before it
        Answer(1, "OK", 9.0, 12.0),
        Answer(2, "OK", 12.0, 13.0),
        Answer(3, "UNAVAILABLE", 12.0, 12.002),
        Answer(4, "INTERNAL", 12.0, 13.0),
        Answer(5, "OK", 19.0, 24.0),  # owed at the end
        Answer(6, "OK", 20.5, 25.0),  # sent after it
    ],
    {"det": 0.5},
)


def load(kind: str, served: float, cpu_ms: float | None = None, **more: Any) -> dict[str, Any]:
    return {**figures(kind, Run(0, 1, [])), "served_per_second": served, "cpu_ms": cpu_ms, **more}


def overload(
    *recoveries: tuple[float, int], served: float = 4.5, same: bool = True, **more: Any
) -> Result:
    loads = [
        load("peak", 4, 100.0),
        load("overload", served, 105.0, **more),
        load("peak", 6, 100.0),
    ]
    seen = [{"seconds": seconds, "let_in_before": owed} for seconds, owed in recoveries]
    return judge(loads, seen, same, {"picture": "page", "times": 10.0})


def test_a_window_counts_what_came_inside_it():
    found = figures("overload", RUN)
    assert (found["served_per_second"], found["refused_per_second"]) == (0.2, 0.1)
    assert found["offered_per_second"] == 0.4
    assert found["failures"] == "1 INTERNAL"
    assert (found["served_ms"], found["served_p99_ms"]) == (2000.0, pytest.approx(2980.0))
    assert found["refused_ms"] == pytest.approx(2.0)
    assert found["cpu_ms"] == 100.0  # of all five that were served


def test_it_passes_with_nine_tenths_of_the_peak_and_nothing_late():
    good = overload((6.0, 20))
    assert (good.settings["kept"], good.ok) == (0.9, True)
    assert not overload((6.0, 20), served=4.4).ok
    assert not overload((6.0, 20), failures="1 INTERNAL").ok
    assert not overload((6.0, 20), same=False).ok


def test_to_read_what_was_let_in_is_not_late():
    assert overload((7.9, 20)).ok  # 20 at 5 a second, a quarter more, and 3 seconds
    assert not overload((1.0, 20), (8.1, 20)).ok


@pytest.mark.server
def test_the_verb_says_what_it_saw(server, tmp_path):
    page, out = tmp_path / "page.png", tmp_path / "overload.json"
    page.write_bytes(encode_page(render_page(seed=3, lines=3, width=480)))
    command = ["overload", "--url", f"grpc://{server.grpc_url}", "--pid", str(server.pid)]
    command += ["--no-samples", "--images", str(page), "--out", str(out)]
    code = main([*command, "--seconds", "2", "--rounds", "1"])
    found = json.loads(out.read_text("utf-8"))
    # Whether nine tenths are kept in so short a time depends on who else is on the machine.
    assert code == (0 if found["ok"] else 1)
    loads = found["tables"]["loads"]["rows"]
    assert [load["load"] for load in loads] == ["peak", "overload", "peak"]
    assert [load["failures"] for load in loads] == ["none"] * 3
    assert loads[0]["refused_per_second"] == 0 < loads[1]["refused_per_second"]
    assert all(load["served_per_second"] > 0 and load["cpu_ms"] > 0 for load in loads)
    assert found["settings"]["same"]
    assert found["tables"]["recoveries"]["rows"][0]["seconds"] > 0
