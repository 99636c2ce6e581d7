"""The tracer's block: its lines, and the figures in them."""

from __future__ import annotations

import re

from ppocr_server.paddle_serving.records import Records
from ppocr_server.paddle_serving.settings import OCR_OPS
from ppocr_server.paddle_serving.tracer_block import Counts, Queues, tracer_block

MS = 1_000_000
CHANGE = {
    "det_preprocess": Counts(10, 10 * MS, 20 * MS, 5 * MS, 30 * MS),
    "det": Counts(10, 100 * MS, 1000 * MS, 5 * MS, 800 * MS),
    "det_postprocess": Counts(10, 0, 30 * MS, 0, 30 * MS),
    "recognize": Counts(10, 0, 3000 * MS, 0, 3000 * MS),
    "rec": Counts(40, 500 * MS, 2000 * MS, 100 * MS, 1000 * MS),
}
INSTANCES = {"det_preprocess": 1, "det": 4, "det_postprocess": 1, "recognize": 2, "rec": 2}
QUEUES = Queues(running=3, workers=20, waiting=4, max_waiting=1000, pending={"det": 2, "rec": 5})


def block(records: Records, change: dict[str, Counts] = CHANGE) -> list[str]:
    return list(tracer_block(OCR_OPS, change, INSTANCES, records, QUEUES, 2.0))


def figures(lines: list[str], op: str) -> dict[str, float]:
    start = lines.index(f"Op({op}):") + 1
    found = {}
    for line in lines[start:]:
        match = re.fullmatch(r"\t(\w+)\[([\d.e-]+)( ms)?\]", line)
        if match is None:
            break
        found[match[1]] = round(float(match[2]), 6)
    return found


def test_an_ops_times_are_for_each_picture() -> None:
    lines = block(Records())
    assert lines[0] == "==================== TRACER ======================"
    assert figures(lines, "det") == {
        "in": 11.0,
        "prep": 2.0,
        "midp": 100.0,
        "postp": 3.0,
        "out": 1.0,
        "idle": 0.9,  # det: 0.8 s of 4 instances in 2 s
    }
    # The calls of `rec` took 2600 of the 3000 ms of `recognize`.
    assert figures(lines, "rec") == {
        "in": 50.0,
        "prep": 40.0,
        "midp": 200.0,
        "out": 10.0,
        "idle": 0.25,
    }


def test_the_services_figures() -> None:
    lines = block(Records([float(n) for n in range(100, 0, -1)], ["7", "9"]))
    start = lines.index("DAGExecutor:")
    assert lines[start + 1 : start + 15] == [
        "\tQuery count[100]",
        "\tQPS[50.0 q/s]",
        "\tSucc[0.98]",
        "\tError req[7, 9]",
        "\tLatency:",
        "\t\tave[50.5 ms]",
        "\t\t.50[51.0 ms]",
        "\t\t.60[61.0 ms]",
        "\t\t.70[71.0 ms]",
        "\t\t.80[81.0 ms]",
        "\t\t.90[91.0 ms]",
        "\t\t.95[96.0 ms]",
        "\t\t.99[100.0 ms]",
        "Channel (server worker num[20]):",
    ]


def test_queue_lengths() -> None:
    assert block(Records())[-3:] == [
        "\tendpoint(In: ['client'], Out: ['endpoint']) size[4/1000]",
        "\tdet(In: ['endpoint'], Out: ['det']) size[2/0]",
        "\trec(In: ['det'], Out: ['rec']) size[5/0]",
    ]


def test_nothing_to_tell_is_not_told() -> None:
    lines = block(Records(), {"det": Counts()})
    assert not any(line.startswith(("Op", "DAGExecutor")) for line in lines)
