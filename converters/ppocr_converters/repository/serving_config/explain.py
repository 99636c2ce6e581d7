"""The table of a configuration: every key, its value, what it becomes, and what to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ppocr_converters.repository.serving_config.keys import Key, all_keys
from ppocr_converters.repository.serving_config.service import Service

Language = Literal["en", "zh"]
EFFECTS = {
    "en": {
        "exact": "taken",
        "like": "approximated",
        "none": "taken, without effect",
        "refused": "refused",
    },
    "zh": {"exact": "照用", "like": "近似", "none": "接受，无作用", "refused": "拒绝"},
}
HEADINGS = {
    "en": ("key", "type, range", "default", "effect", "becomes"),
    "zh": ("键", "类型、范围", "默认值", "效果", "变成什么"),
}


@dataclass(frozen=True)
class Row:
    """One key of a configuration.

    Attributes:
        value: as used, the default where nothing was written.
        note: a warning; empty when there is nothing to say.
    """

    key: str
    value: Any
    written: bool
    becomes: str
    note: str


def explain(service: Service) -> list[Row]:
    """A row for every key, those of Ops once for each Op, in the order of keys.yml."""
    document = service.document
    return [
        Row(
            path,
            document[path],
            path in document.written,
            service.effects.get(path) or _becomes(key, document[path]),
            _note(path, service),
        )
        for path, key in document.entries()
    ]


def _becomes(key: Key, value: Any) -> str:
    """What a key does; its text says what it does when it is on."""
    off = value == key.default and value in (False, -1) and not key.becomes.startswith("nothing")
    return "off" if off else key.becomes


def _note(path: str, service: Service) -> str:
    reasons = [text for text in service.plan.unavailable if text.startswith(f"{path} ")]
    notes = [service.warnings.get(path, ""), *(f"cannot be built: {text}" for text in reasons)]
    return "; ".join(note for note in notes if note)


def table(rows: Sequence[Row], every: bool = False) -> str:
    """The rows as aligned text; values that were not written stand in brackets, notes after !.

    Without `every`, rows that were not written and have no note are left out.
    """
    kept = [row for row in rows if every or row.written or row.note]
    cells = [("key", "value", "becomes", "")]
    for row in kept:
        value, said = as_yaml(row.value), row.note == row.becomes
        marked = f"! {row.becomes}" if said else row.becomes
        note = "" if said else row.note
        cells.append((row.key, value if row.written else f"[{value}]", marked, note))
    first, second = (max(len(cell[column]) for cell in cells) for column in (0, 1))
    lines = []
    for key, value, becomes, note in cells:
        lines.append(f"{key:{first}}  {value:{second}}  {becomes}")
        lines += [f"{'':{first}}  ! {note}"] if note else []
    if left := len(rows) - len(kept):
        lines.append(f"{left} keys that are not written have their defaults; --all shows them")
    return "\n".join(lines)


def as_yaml(value: Any) -> str:
    """A value as it is written in config.yml; nothing for one that is not set."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(as_yaml(entry) for entry in value)}]"
    return '""' if value == "" else f"{value}"


def key_table(language: Language = "en") -> str:
    """Every key there is as a Markdown table, for the documentation."""
    lines = [_row(HEADINGS[language]), _row(("---",) * 5)]
    lines += [_row(_key_cells(key, language)) for key in all_keys().values()]
    return "\n".join(lines)


def _key_cells(key: Key, language: Language) -> tuple[str, ...]:
    default = "–" if key.default is None else f"`{as_yaml(key.default)}`"
    becomes = {"en": key.becomes, "zh": key.zh}[language]
    return (f"`{key.path}`", _range(key), default, EFFECTS[language][key.effect], becomes)


def _range(key: Key) -> str:
    """Type and range in short: `int 1–65535`, `str: a, b`."""
    if key.words:
        return f"{key.type}: {', '.join(str(word) for word in key.words)}"
    if key.low is None:
        return key.type
    if key.high is None:
        return f"{key.type} ≥ {key.low:.10g}"
    return f"{key.type} {key.low:.10g}–{key.high:.10g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
