"""Peers: pictures a second of every way to serve them, by workload and number of clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ppocr_bench.reporting.blocks import Block, Figure, Section, Table, Text, number
from ppocr_bench.reporting.charts import Bar, Part, bar_chart
from ppocr_bench.reporting.generic import of_rows

Result = Mapping[str, Any]
Row = Mapping[str, Any]

OURS, THEIRS = 0, 5  # colours


def peers_section(result: Result) -> Section:
    """Bars and a table for each workload, then what became of the targets, and the notes."""
    rows: list[Row] = result["rows"]
    names = list(dict.fromkeys(row["peer"] for row in rows))
    blocks: list[Block] = []
    for workload in dict.fromkeys(row.get("workload", "") for row in rows):
        own = sorted(
            (row for row in rows if row.get("workload", "") == workload),
            key=lambda row: (row["clients"], names.index(row["peer"])),
        )
        pictures = result.get("workloads", {}).get(workload, [])
        title = ": ".join(filter(None, [workload, ", ".join(pictures)]))
        blocks += [_bars(own, title), _table(own, title)]
    for key, caption in {"targets": "Targets", "readings": "What each reads"}.items():
        if result.get(key):
            blocks.append(of_rows(result[key], caption))
    settings = [
        [peer, "; ".join(lines), _versions(result.get("versions", {}).get(peer, {}))]
        for peer, lines in result.get("settings", {}).items()
    ]
    if settings:
        blocks.append(Table(["", "settings", "versions"], settings, words=3))
    return Section("Beside other ways", [*blocks, *(Text(str(n)) for n in result.get("notes", []))])


def _bars(rows: Sequence[Row], title: str) -> Figure:
    bars: list[Bar] = []
    groups: dict[int, str] = {}
    for clients, same in groupby(rows, lambda row: row["clients"]):
        groups[len(bars)] = "1 client" if clients == 1 else f"{clients} clients"
        for row in same:
            part = Part("", row.get("pictures_per_second") or 0.0, OURS if _ours(row) else THEIRS)
            note = " ".join([f"{number(row.get('pictures_per_second'))}/s", *_ratios(row)])
            bars.append(Bar(row["peer"], [part], note))
    caption = f"{title or 'The same pictures and weights'}; × is ours over theirs in the same run."
    return Figure("peers", caption, bar_chart(bars, "pictures a second", groups))


def _ratios(row: Row) -> list[str]:
    """How many times theirs ours is, by engine where there are several."""
    ratios = _all_ratios(row)
    named = len(ratios) > 1
    return [
        f"· {label + ' ' if named else ''}{ratio:.2f}×"
        for label, ratio in ratios.items()
        if ratio != 1
    ]


def _ours(row: Row) -> bool:
    """Whether a row is what the others are held against: it is itself once."""
    return 1 in _all_ratios(row).values()


def _all_ratios(row: Row) -> Mapping[str, float]:
    if row.get("ratio_to_us"):
        return {"": 1 / row["ratio_to_us"]}
    return row.get("ratio", {})


def _table(rows: Sequence[Row], caption: str) -> Table:
    """Every figure of every row; of the rounds the least and the most."""
    shown = []
    for row in rows:
        flattened = {key: value for key, value in row.items() if key != "workload"}
        rounds = flattened.get("rounds")
        if rounds:
            flattened["rounds"] = f"{number(min(rounds))}–{number(max(rounds))}"
        shown.append(flattened)
    return of_rows(shown, caption, first=("peer", "clients"))


def _versions(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
