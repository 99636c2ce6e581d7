"""A JSON schema of config.yml, made from the table of keys, for editors."""

from __future__ import annotations

from typing import Any

from ppocr_converters.repository.serving_config.keys import NAME, TYPES, Key, all_keys


def schema() -> dict[str, Any]:
    """The schema of the whole file."""
    root = _section("config.yml of the OCR service: Paddle Serving's keys and `triton:`")
    for key in all_keys().values():
        *sections, name = key.path.split(".")
        place = root
        for section in sections:
            place = _step_into(place, section)
        place["properties"][name] = _property(key)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root}


def _section(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "type": ["object", "null"],
        "properties": {},
        "additionalProperties": False,
    }


def _step_into(place: dict[str, Any], section: str) -> Any:
    """The section of a name below another; of the Ops, whatever they are called."""
    if section == NAME:
        if place["additionalProperties"] is False:
            place["additionalProperties"] = _section("An Op: any name")
        return place["additionalProperties"]
    return place["properties"].setdefault(section, _section(section))


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
