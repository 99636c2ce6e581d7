"""The catalogue as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ppocr_converters.catalogue.entries import Model
from ppocr_converters.catalogue.sets import ModelSet

HEAD = ("name", "kind", "family", "format", "MB", "reads", "dictionary", "licence", "sources")
SET_HEAD = ("set", "models", "what it is")
#: Languages named before the rest is counted.
NAMED = 4


def table(models: Iterable[Model]) -> str:
    """One line for each model under a head, in columns; "~" marks sizes that are about."""
    return _columns([HEAD, *(_row(model) for model in models)])


def set_table(sets: Iterable[ModelSet]) -> str:
    """One line for each set under a head: its name, its first way and what it is."""
    rows = [
        (
            f"{one.name} (default)" if one.default else one.name,
            " ".join(one.ways[0].values()),
            one.about,
        )
        for one in sets
    ]
    return _columns([SET_HEAD, *rows])


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows in columns under the first one, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if name == "MB" else cell.ljust(width)
            for name, cell, width in zip(rows[0], row, widths, strict=True)
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _row(model: Model) -> tuple[str, ...]:
    more = len(model.languages) - NAMED
    return (
        model.name,
        model.kind,
        model.family,
        model.format,
        _size(model),
        " ".join(model.languages[:NAMED]) + (f" +{more}" if more > 0 else ""),
        "" if model.kind != "rec" else model.dictionary.name if model.dictionary else "inside",
        model.licence,
        " ".join(s.origin + ("" if s.confirmed else "?") for s in model.asset.sources),
    )


def _size(model: Model) -> str:
    if model.asset.size is not None:
        return f"{model.asset.size / 1e6:.1f}"
    return "" if model.megabytes is None else f"~{model.megabytes:g}"
