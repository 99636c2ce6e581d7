"""Results as tables of whatever they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from ppocr_bench.reporting.blocks import Section, Table, Text, number

Result = Mapping[str, Any]


def of_each(show: Callable[[Result], Section]) -> Callable[[Sequence[Result]], list[Section]]:
    """One section for each result of a verb."""
    return lambda results: [show(result) for result in results]


def anything(result: Result) -> Section:
    """A result of a verb that has no view of its own: values, and a table for each list."""
    values, tables = [], []
    for key, value in flat(result):
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            tables.append(of_rows(value, key))
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


def of_rows(rows: Sequence[Mapping[str, Any]], caption: str, first: Sequence[str] = ()) -> Table:
    """A column for every key of any row, `first` ones first; leading texts are words."""
    flattened = [dict(flat(row)) for row in rows]
    keys = list(dict.fromkeys([*first, *(key for row in flattened for key in row)]))
    cells = [[number(row.get(key)) for key in keys] for row in flattened]
    texts = (all(isinstance(row.get(key, ""), str) for row in flattened) for key in keys)
    words = sum(1 for _ in takewhile(bool, texts))
    return Table([key.replace("_", " ") for key in keys], cells, caption, words)
