"""What is shown of the results of each verb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from statistics import median
from typing import Any

from ppocr_bench.reporting.blocks import Block, Code, Figure, Section, Table, Text, number
from ppocr_bench.reporting.charts import Bar, Part, bar_chart
from ppocr_bench.reporting.sweeps import sweep_sections

Result = Mapping[str, Any]


def sections(results: Sequence[Result]) -> list[Section]:
    """Every result: those of a verb together, verbs as they come first; then the machines."""
    by_verb: dict[str, list[Result]] = {}
    for result in results:
        by_verb.setdefault(str(result["verb"]), []).append(result)
    shown = []
    for verb, own in by_verb.items():
        shown += SECTIONS[verb](own) if verb in SECTIONS else _of_each(_anything)(own)
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


def _of_each(show: Callable[[Result], Section]) -> Callable[[Sequence[Result]], list[Section]]:
    return lambda results: [show(result) for result in results]


def _peers(result: Result) -> Section:
    """Bars by number of clients, and everything that is known of each row."""
    rows = sorted(result["rows"], key=lambda row: row["clients"])
    names = list(dict.fromkeys(row["peer"] for row in rows))
    bars: list[Bar] = []
    groups: dict[int, str] = {}
    for clients, same in groupby(rows, lambda row: row["clients"]):
        groups[len(bars)] = "1 client" if clients == 1 else f"{clients} clients"
        for row in sorted(same, key=lambda row: names.index(row["peer"])):
            ratio = row.get("ratio_to_us")
            times = "" if ratio is None else f"  {ratio:.2f}×"
            note = f"{number(row.get('pictures_per_second'))}/s{times}"
            value = row.get("pictures_per_second") or 0.0
            colour = names.index(row["peer"])
            bars.append(Bar(row["peer"], [Part("", value, colour)], note))
    chart = bar_chart(bars, "pictures a second", groups)
    caption = "The same pictures and weights in one run; × is times what is served here."
    notes = [Text(str(note)) for note in result.get("notes", [])]
    table = _of_rows(rows, "", first=("peer", "clients"))
    return Section("Beside other ways", [Figure("peers", caption, chart), table, *notes])


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
        ]
        for route, rounds in routes.items()
    ]
    head = ["route", "median ms", "best round ms", "over direct ms"]
    caption = f"{result['picture']}, {result['clients']} clients"
    return Section("What the old endpoints cost", [Table(head, rows, caption)])


def _anything(result: Result) -> Section:
    """A result of a verb that has no view of its own: values, and a table for each list."""
    values, tables = [], []
    for key, value in flat(result):
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            tables.append(_of_rows(value, key))
        elif key not in ("verb", "ok") and not key.startswith("machine."):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else number(value)
            values.append([key, shown])
    verdict = [] if "ok" not in result else [Text("as it must be", result["ok"])]
    table = [Table(["", ""], values, words=2)] if values else []
    return Section(str(result["verb"]), [*verdict, *table, *tables])


def flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Keys with dots between them, and values that are no objects."""
    found: list[tuple[str, Any]] = []
    for key, inner in value.items():
        name = f"{prefix}{key}"
        found += flat(inner, f"{name}.") if isinstance(inner, Mapping) else [(name, inner)]
    return found


def _of_rows(rows: Sequence[Mapping[str, Any]], caption: str, first: Sequence[str] = ()) -> Table:
    """A column for every key of any row, `first` ones first."""
    flattened = [dict(flat(row)) for row in rows]
    keys = list(dict.fromkeys([*first, *(key for row in flattened for key in row)]))
    cells = [[number(row.get(key)) for key in keys] for row in flattened]
    return Table([key.replace("_", " ") for key in keys], cells, caption)


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
    "peers": _of_each(_peers),
    "latency": _of_each(_latency),
    "accuracy": _of_each(_accuracy),
    "parity": _of_each(_parity),
    "consistency": _of_each(_consistency),
    "endpoint": _of_each(_endpoint),
}
