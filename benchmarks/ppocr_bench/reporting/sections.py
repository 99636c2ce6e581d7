"""What is shown of the results of each verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from statistics import median
from typing import Any

from ppocr_bench.reporting.blocks import Block, Code, Figure, Section, Table, Text, number
from ppocr_bench.reporting.charts import Bar, Part, bar_chart
from ppocr_bench.reporting.generic import anything, flat, of_each
from ppocr_bench.reporting.peers import peers_section
from ppocr_bench.reporting.soak import soak_section
from ppocr_bench.reporting.sweeps import sweep_sections

Result = Mapping[str, Any]


def sections(results: Sequence[Result]) -> list[Section]:
    """Every result: those of a verb together, verbs as they come first; then the machines."""
    by_verb: dict[str, list[Result]] = {}
    for result in results:
        by_verb.setdefault(str(result["verb"]), []).append(result)
    shown = []
    for verb, own in by_verb.items():
        shown += SECTIONS[verb](own) if verb in SECTIONS else of_each(anything)(own)
    return [*map(_renamed(), shown), *_machines(results)]


def _renamed() -> Callable[[Section], Section]:
    """Gives a figure another name where there has been one of its name, for its file."""
    seen: dict[str, int] = {}

    def rename(block: Block) -> Block:
        if not isinstance(block, Figure):
            return block
        seen[block.name] = count = seen.get(block.name, 0) + 1
        return block if count == 1 else replace(block, name=f"{block.name}-{count}")

    return lambda section: Section(section.title, [rename(block) for block in section.blocks])


def _latency(result: Result) -> Section:
    """Ratios to the bare networks, and the medians of every picture and way."""
    kinds = {"medians": "ratio", "best times": "ratio_of_best"}
    ratios = [
        [way, kind, f"{ratio:.3f}", f"{1 - 1 / ratio:.1%}"]
        for kind, key in kinds.items()
        for way, ratio in result[key].items()
    ]
    bars: list[Bar] = []
    groups: dict[int, str] = {}
    timed = result["timed"]
    ways = list(dict.fromkeys(row["way"] for row in timed))
    for picture, same in groupby(timed, lambda row: row["picture"]):
        own = list(same)
        groups[len(bars)] = f"{picture}, {own[0]['lines']} lines"
        for row in own:
            part = Part("", row["median"] * 1e3, ways.index(row["way"]))
            bars.append(Bar(row["way"], [part], f"{number(part.value)} ms"))
    rows = [
        [row["picture"], row["way"], *(number(row[key] * 1e3) for key in ("best", "median", "p90"))]
        for row in timed
    ]
    return Section(
        "One request beside the bare networks",
        [
            Table(["protocol", "of", "times the networks", "not inference"], ratios, words=2),
            Figure("latency", "Medians.", bar_chart(bars, "ms", groups)),
            Table(["picture", "way", "best ms", "median ms", "p90 ms"], rows, words=2),
        ],
    )


def _accuracy(result: Result) -> Section:
    """A row for each padding."""
    head = ["rec_padding", "box hmean", "precision", "recall", "CER", "exact lines"]
    head += ["CER, no spaces", "exact, no spaces"]
    keys = ("hmean", "precision", "recall", "cer", "exact", "folded_cer", "folded_exact")
    rows = [
        [padding, *(f"{rates[key]:.2%}" for key in keys)]
        for padding, rates in result["rec_padding"].items()
    ]
    counts = next(iter(result["rec_padding"].values()))
    caption = (
        f"{result['pictures']} pictures, {counts['truth_boxes']:,} lines, "
        f"{counts['characters']:,} characters; boxes at IoU 0.5"
    )
    return Section("Accuracy against what is written", [Table(head, rows, caption)])


def _parity(result: Result) -> Section:
    """The verdict, and the counts of each picture."""
    text = (
        f"{result['equal']} lines equal, {result['different']} different, scores within "
        f"{result['score_difference']:.6f} (allowed {result['score_tolerance']:g})"
    )
    head = ["picture", "equal", "different", "scores within"]
    rows = [
        [
            row["name"],
            number(row["equal"]),
            number(max(len(row["served_only"]), len(row["paddleocr_only"]))),
            f"{row['score_difference']:.6f}",
        ]
        for row in result["pictures"]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    blocks: list[Block] = [Text(text, result["ok"]), Table(head, rows), Text(versions)]
    return Section("The same lines as PaddleOCR", blocks)


def _consistency(result: Result) -> Section:
    """The verdict, and every difference."""
    text = (
        f"{result['requests']} answers to {result['clients']} clients for "
        f"{len(result['pictures'])} pictures, compared to the byte with those got alone"
    )
    differences = [Text(difference, good=False) for difference in result["differences"]]
    return Section("The same bytes under load", [Text(text, result["ok"]), *differences])


def _endpoint(result: Result) -> Section:
    """Medians and best rounds of each route."""
    routes = result["median_ms"]
    direct = next(iter(routes.values()))
    rows = [
        [
            route,
            number(median(rounds)),
            number(min(rounds)),
            f"{median(a - b for a, b in zip(rounds, direct, strict=True)):+.1f}",
            number(median(result["cpu_ms"][route])),
        ]
        for route, rounds in routes.items()
    ]
    head = ["route", "median ms", "best round ms", "over direct ms", "processor ms of the endpoint"]
    caption = f"{result['picture']}, {result['clients']} clients"
    return Section("What the old endpoints cost", [Table(head, rows, caption)])


def _machines(results: Sequence[Result]) -> list[Section]:
    """What everything was measured on, each machine once, and the commands."""
    found = [result["machine"] for result in results if result.get("machine")]
    if not found:
        return []
    facts = {
        tuple((key, str(value)) for key, value in flat(machine) if key not in ("command", "load"))
        for machine in found
    }
    tables = [
        Table(["", ""], [[key.removeprefix("versions."), value] for key, value in one], words=2)
        for one in sorted(facts)
    ]
    commands = dict.fromkeys(str(machine.get("command", "")) for machine in found)
    return [Section("Measured on", [*tables, *(Code(text) for text in commands if text)])]


SECTIONS: dict[str, Callable[[Sequence[Result]], list[Section]]] = {
    "sweep": sweep_sections,
    "peers": of_each(peers_section),
    "latency": of_each(_latency),
    "accuracy": of_each(_accuracy),
    "parity": of_each(_parity),
    "consistency": of_each(_consistency),
    "endpoint": of_each(_endpoint),
    "soak": of_each(soak_section),
}
