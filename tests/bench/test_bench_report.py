"""The page's parts: numbers, axes, and results that are not known."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_bench.cli import main
from ppocr_bench.reporting.blocks import Figure, Table, Text, number
from ppocr_bench.reporting.charts import ticks
from ppocr_bench.reporting.page import html, markdown
from ppocr_bench.reporting.sections import sections

MACHINE = {
    "processor": "A <fast> one",
    "cores": 2,
    "versions": {"numpy": "1"},
    "command": "ppocr-bench x",
}


PEERS = {"served": 4.0, "bound": 5.0}


def point(protocol: str, concurrency: int, throughput: float | None) -> dict[str, Any]:
    step = {"calls": 1, "batch": 1, "queue_ms": 1, "input_ms": 1, "infer_ms": 50, "output_ms": 1}
    figures = dict.fromkeys(("mean_ms", "p50_ms", "p80_ms", "p90_ms", "p99_ms"), 100.0)
    rest = dict.fromkeys(("gpu_utilisation", "gpu_memory_mib", "cores", "pss_mib"))
    return {
        **{"protocol": protocol, "concurrency": concurrency, "rate": None},
        **{"throughput": throughput, "requests": 9, "failures": 0, "error": None},
        **{"stable": True, "steps": {"det": step, "rec": step, "another": step}},
        **figures,
        **rest,
    }


def sweep(label: str, cores: int, throughput: float) -> dict[str, Any]:
    models = {name: {"engine": "onnxruntime", "instances": cores} for name in ("det", "rec")}
    points = [point("grpc", 1, throughput / 2), point("grpc", 4, throughput)]
    return {
        **{"verb": "sweep", "label": label, "cores": cores, "models": models},
        **{"pictures": ["a.jpg"], "machine": MACHINE, "points": points},
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.0, "0"),
        (1234.5, "1,234"),
        (12.345, "12.3"),
        (0.12345, "0.123"),
        (3, "3"),
        (True, "True"),
        ("text", "text"),
        (0.000012, "1.2e-05"),
    ],
)
def test_numbers(value: object, shown: str) -> None:
    assert number(value) == shown


@given(st.floats(1e-6, 1e9))
def test_axes_reach_their_highest_value_in_few_round_steps(high: float) -> None:
    found = ticks(high)
    assert found[0] == 0
    assert found[-1] >= high * (1 - 1e-6)
    assert found[-2] < high
    assert 3 <= len(found) <= 8


def test_sweeps_with_other_cores_make_a_curve_of_scaling() -> None:
    shown = sections([sweep("one", 1, 2.0), sweep("two", 2, 3.8)])
    titles = {section.title: section for section in shown}
    scaling = titles["Scaling"].blocks
    names = [block.name for block in scaling if isinstance(block, Figure)]
    assert names == ["scaling-cores", "scaling-instances", "ways"]
    (table,) = (block for block in scaling if isinstance(block, Table))
    assert [row[-1] for row in table.rows] == ["1.00", "1.90"]
    assert titles["Measured on"].blocks


def test_figures_have_names_of_their_own_and_are_whole() -> None:
    shown = sections([sweep("one", 1, 2.0), sweep("two", 2, 3.8)])
    figures = [block for section in shown for block in section.blocks if isinstance(block, Figure)]
    assert len({figure.name for figure in figures}) == len(figures) >= 6
    for figure in figures:
        assert ElementTree.fromstring(figure.svg).tag.endswith("svg")


def test_a_failed_point_is_shown_with_its_reason() -> None:
    result = sweep("one", 1, 2.0)
    result["points"][1] |= {"throughput": None, "error": "refused", "p50_ms": None}
    texts = [b.text for s in sections([result]) for b in s.blocks if isinstance(b, Text)]
    assert "grpc 4: refused" in texts


def test_peers_are_bars_by_clients_and_keep_every_column() -> None:
    rows = [
        {"peer": "served", "clients": 1, "pictures_per_second": 2.0, "ratio_to_us": 1.0},
        {"peer": "other", "clients": 1, "pictures_per_second": 1.0, "pss_mib": 900, "new": "x"},
        {"peer": "other", "clients": 8, "pictures_per_second": None},
    ]
    result = {"verb": "peers", "machine": MACHINE, "rows": rows, "notes": ["left out: one"]}
    text = markdown(sections([result]), None)
    assert "| peer | clients | pictures per second | ratio to us | pss mib | new |" in text
    assert "| other | 1 | 1.00 | – | 900 | x |" in text
    assert "left out: one" in text


def test_peers_of_several_workloads_are_apart() -> None:
    def row(workload: str, peer: str, rate: float) -> dict[str, Any]:
        ratio = {"onnxruntime": 4.0 / rate}
        same = {"workload": workload, "clients": 4, "rounds": [rate - 0.5, rate, rate + 0.5]}
        return {**same, "peer": peer, "pictures_per_second": rate, "ratio": ratio}

    rows = [row(name, peer, rate) for name in ("photos", "dense") for peer, rate in PEERS.items()]
    target = {"text": "beside the bound", "workload": "photos", "value": 0.8, "met": False}
    result = {
        **{"verb": "peers", "machine": MACHINE, "rows": rows, "notes": []},
        **{"workloads": {"photos": ["a.jpg"], "dense": ["page"]}, "targets": [target]},
        **{"settings": {"bound": ["1 thread"]}, "versions": {"bound": {"onnxruntime": "1"}}},
    }
    (section, _) = sections([result])
    figures = [block for block in section.blocks if isinstance(block, Figure)]
    assert [figure.caption.partition(";")[0] for figure in figures] == [
        "photos: a.jpg",
        "dense: page",
    ]
    assert "· 0.80×" in figures[0].svg
    assert figures[0].svg.count('class="bar c0"') == 1
    text = markdown([section], "plots")
    assert "| bound | 4 | 4.50–5.50 | 5.00 | 0.800 |" in text
    assert "| beside the bound | photos | 0.800 | False |" in text
    assert "| bound | 1 thread | onnxruntime 1 |" in text
    assert "![dense: page" in text


def test_a_verb_that_is_not_known_is_shown_all_the_same() -> None:
    result = {
        **{"verb": "weigh", "ok": False, "grams": {"of": {"gold": 31.1}}, "marks": [1, 2]},
        **{"rows": [{"a": 1}, {"b": 2}], "machine": MACHINE},
    }
    page = html(sections([result]), "weigh")
    for wanted in ("grams.of.gold", "31.1", "1, 2", "<h2>weigh</h2>", 'class="bad"'):
        assert wanted in page
    assert "A &lt;fast&gt; one" in page
    assert "<fast>" not in page


def test_a_file_that_is_no_result_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, out = tmp_path / "wrong.json", tmp_path / "report.html"
    wrong.write_text(json.dumps({"rows": []}))
    assert main(["report", str(wrong), "--out", str(out)]) == 1
    assert 'has no "verb"' in capsys.readouterr().err
    wrong.write_text("{")
    assert main(["report", str(wrong), "--out", str(out)]) == 1
    assert "is not JSON" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none.json"), "--out", str(out)]) == 1
    assert "cannot read" in capsys.readouterr().err
    assert not out.exists()
