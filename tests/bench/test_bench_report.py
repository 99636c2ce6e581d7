"""The page of a report: cells, axes, charts, and what is refused."""

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from ppocr_bench.cli import main
from ppocr_bench.record import Chart, Result, Table, heading, number
from ppocr_bench.verbs import report
from ppocr_bench.verbs.machine import loads
from ppocr_bench.verbs.report import HEIGHT, TOP, draw, ticks

MACHINE = {
    **{"processor": "A <fast> one", "cores": 2, "memory_gib": 8, "load": 0.1, "system": "Linux"},
    **{"python": "3.11", "versions": {"numpy": "1"}, "command": "ppocr-bench sweep"},
}
ROWS = [
    {"at": "one", "protocol": "grpc", "pictures_per_second": 2.0, "p50_ms": 100.0, "rest": None},
    {"at": "two", "protocol": "http", "pictures_per_second": 3.8, "p50_ms": 150.0, "rest": None},
]
KEYS = ["at", "pictures_per_second", "p50_ms", "rest"]
CURVE = Chart("points", "pictures_per_second", ["p50_ms"], "A curve.", "protocol")


def result(**more: Any) -> dict[str, Any]:
    tables = {"points": Table(ROWS, KEYS, "Points | of it"), "unseen": Table(ROWS)}
    whole = Result("measured", tables=tables, charts=[CURVE], **more).to_dict()
    said = {"verb": "sweep", "title": "throughput", "machine": MACHINE}
    return {**said, **json.loads(json.dumps(whole))}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *[(None, "–"), (0.0, "0"), (1234.5, "1,234"), (12.345, "12.3"), (0.12345, "0.123")],
        *[(3, "3"), (True, "yes"), ("text", "text"), (0.000012, "1.2e-05"), ([1, 2.5], "1, 2.5")],
    ],
)
def test_numbers(value, shown):
    assert number(value) == shown


def test_headings_have_units():
    shown = [heading(key) for key in ("p50_ms", "memory_mib", "cer_percent", "pages_per_second")]
    assert shown == ["p50 ms", "memory MiB", "cer %", "pages/s"]


@given(st.floats(1e-6, 1e9))
def test_axes_reach_their_highest_value_in_few_round_steps(high):
    found = ticks(high)
    assert found[0] == 0
    assert found[-1] >= high * (1 - 1e-6)
    assert found[-2] < high
    assert 3 <= len(found) <= 8


def test_dots_are_as_high_as_their_values():
    drawn = draw(CURVE, ROWS)
    ElementTree.fromstring(f"<figure>{drawn}</figure>")
    one, other = (TOP + HEIGHT - float(y) for y in re.findall(r'cy="([0-9.]+)"', drawn))
    assert one / other == pytest.approx(100 / 150, rel=0.01)
    assert draw(CURVE, [{"pictures_per_second": None, "p50_ms": 1.0}]) == ""


def test_a_chart_says_what_its_lines_and_axes_are(tmp_path):
    rows = [{"label": f"p{n} (9{n} %)", "p50_ms": 10 * n, "pictures_per_second": n} for n in (1, 2)]
    chart = Chart("peers", "p50_ms", ["pictures_per_second"], "Two <peers>.", "label")
    drawn = ElementTree.fromstring(draw(chart, rows))
    said = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"p50 ms", "pictures/s", "p1 (91 %)", "p2 (92 %)", "Two <peers>."} <= set(said)
    assert "prefers-color-scheme: dark" in draw(chart, rows)
    assert draw(chart, []) == ""
    saved = result()
    for name, charts in (("with", saved["charts"]), ("without", [])):
        (tmp_path / f"{name}.json").write_text(json.dumps(saved | {"charts": charts}))
    command = ["report", "--out", str(tmp_path / "page.html"), "--svg", str(tmp_path / "a.svg")]
    assert main([*command, str(tmp_path / "without.json")]) == 1
    assert not (tmp_path / "a.svg").exists()
    assert main([*command, str(tmp_path / "with.json")]) == 0
    assert ElementTree.fromstring((tmp_path / "a.svg").read_text()).tag.endswith("svg")


def test_the_chart_in_the_docs_is_that_of_the_figures_beside_it():
    docs = ROOT / "docs"
    drawn = report.first_chart(json.loads((docs / "peers.json").read_text("utf-8")))
    assert (docs / "peers.svg").read_text("utf-8") == f"{drawn}\n"


def test_a_result_is_shown_without_columns_that_hold_nothing():
    text = report.html([result(ok=False, notes=["too <hot>"])])
    for wanted in ('class="bad">measured', "too &lt;hot&gt;", "A &lt;fast&gt; one", "<svg"):
        assert wanted in text
    assert "<th>rest</th>" not in text
    assert not any(word in text for word in ("src=", "href=", "<script", "@import"))
    assert text.count("<table>") == 1


def test_machines_are_put_side_by_side():
    points = [
        {"protocol": "grpc", "concurrency": 4, "p50_ms": 9.0, "p99_ms": 9.5},
        {"protocol": "http", "concurrency": 4, "error": "refused"},
    ]
    rows = [points[0] | {"pictures_per_second": 12.0}, points[1]]
    swept = Result("", tables={"points": Table(rows, ["protocol"])}).to_dict()
    files = [
        {"verb": verb, "title": verb, "machine": MACHINE | {"cores": cores}, **swept}
        for verb, cores in (("machine", 2), ("sweep", 48), ("parity", 2))
    ]
    found = report.machines(files)
    assert [(row["cores"], row["pictures_per_core_second"]) for row in found] == [
        (2, 6),
        (48, 0.25),
    ]
    assert "Machines compared" in report.html(files)
    assert "Machines compared" not in report.html(files[:1])


def test_loads_of_a_machine_grow_to_four_a_core():
    assert loads(1) == [1, 2, 4]
    assert loads(6) == [1, 2, 4, 8, 16, 24]


def test_a_file_that_is_no_result_is_refused(tmp_path, capsys):
    wrong, out = tmp_path / "wrong.json", tmp_path / "report.html"
    for text, said in (
        (json.dumps({"rows": []}), 'has no "verb"'),
        ("{", "as JSON"),
        (json.dumps({"verb": "sweep", "tables": {}}), "measure again"),
    ):
        wrong.write_text(text)
        assert main(["report", str(wrong), "--out", str(out)]) == 1
        assert said in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none.json"), "--out", str(out)]) == 1
    assert "cannot read" in capsys.readouterr().err
    assert not out.exists()
