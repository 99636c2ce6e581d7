"""What every key becomes: as a table of one configuration, for the guides, and as a JSON schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ppocr_converters.repository.serving_config.document import expand
from ppocr_converters.repository.serving_config.keys import NAME, TYPES, Key, all_keys
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

ANY_OP = "An Op: any name"


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
    document, rows = service.document, []
    for path, key in expand(document.ops):
        value, becomes = document[path], key.becomes
        if value == key.default and value in (False, -1) and not becomes.startswith("nothing"):
            becomes = "off"  # the text of a key says what it does when it is on
        reasons = [text for text in service.plan.unavailable if text.startswith(f"{path} ")]
        notes = [service.warnings.get(path, ""), *(f"cannot be built: {text}" for text in reasons)]
        note = "; ".join(note for note in notes if note)
        becomes = service.effects.get(path) or becomes
        rows.append(Row(path, value, path in document.written, becomes, note))
    return rows


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
    rows: list[Sequence[str]] = [HEADINGS[language], ("---",) * 5]
    for key in all_keys().values():
        default = "–" if key.default is None else f"`{as_yaml(key.default)}`"
        becomes = {"en": key.becomes, "zh": key.zh}[language]
        effect = EFFECTS[language][key.effect]
        rows.append((f"`{key.path}`", _range(key), default, effect, becomes))
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _range(key: Key) -> str:
    """Type and range in short: `int 1–65535`, `str: a, b`."""
    if key.words:
        return f"{key.type}: {', '.join(str(word) for word in key.words)}"
    if key.low is None:
        return key.type
    if key.high is None:
        return f"{key.type} ≥ {key.low:.10g}"
    return f"{key.type} {key.low:.10g}–{key.high:.10g}"


def schema() -> dict[str, Any]:
    """The JSON schema of the whole file, for editors."""
    root = _section("config.yml of the OCR service: Paddle Serving's keys and `triton:`")
    for key in all_keys().values():
        *sections, name = key.path.split(".")
        place = root
        for section in sections:
            if section != NAME:
                place = place["properties"].setdefault(section, _section(section))
            else:  # whatever the Op is called
                place["additionalProperties"] = place["additionalProperties"] or _section(ANY_OP)
                place = place["additionalProperties"]
        place["properties"][name] = _property(key)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root}


def _section(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "type": ["object", "null"],
        "properties": {},
        "additionalProperties": False,
    }


def _property(key: Key) -> dict[str, Any]:
    """One key; an empty value is allowed everywhere and means the default."""
    entry: dict[str, Any] = {"type": TYPES[key.type][1]}
    if key.words:
        entry["enum"] = list(key.spellings)
    if key.pattern is not None:
        entry["pattern"] = f"^({key.pattern})$"
    if key.low is not None:
        entry["minimum"] = key.low
    if key.high is not None:
        entry["maximum"] = key.high
    if key.is_list:
        entry = {"type": ["array", "null"], "items": entry}
    else:
        entry["type"] = [entry["type"], "null"]
        if key.words:
            entry["enum"].append(None)
    if key.default is not None:
        entry["default"] = key.default
    return {"description": f"{key.meaning} Becomes: {key.becomes}.", **entry}
