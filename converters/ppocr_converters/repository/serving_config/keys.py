"""The table of keys, read from keys.yml: types, ranges, defaults and what each key becomes."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

from ppocr_converters.errors import ConvertError

#: Stands in a path where the name of an Op does.
NAME = "NAME"
INT32_MAX = 2**31 - 1
LONGEST_SHOWN = 200  # characters of a value in a message
#: The types of a value: in Python, in a JSON schema, and in words; those of a list's entries.
TYPES: dict[str, tuple[tuple[type, ...], str, str]] = {
    "int": ((int,), "integer", "a whole number"),
    "number": ((int, float), "number", "a number"),
    "bool": ((bool,), "boolean", "true or false"),
    "str": ((str,), "string", "a text"),
    "strs": ((str,), "string", "a list of texts"),
}
#: What a text looks like that would be a value of another type without its quotes.
UNQUOTED = {"int": r"0|-?[1-9]\d*", "number": r"-?(0|[1-9]\d*)(\.\d+)?", "bool": r"(?i)true|false"}
#: What keys are called in PaddleOCR's own options and in Paddle Serving's commands.
OTHER_NAMES = {
    "use_gpu": "devices",
    "gpu_id": "devices",
    "gpu_ids": "devices",
    "use_tensorrt": "device_type",
    "enable_mkldnn": "use_mkldnn",
    "cpu_threads": "thread_num",
    "model_dir": "model_config",
    "use_lite": "device_type",
    "use_xpu": "device_type",
    "use_ascend_cl": "device_type",
}


class ConfigError(ConvertError):
    """A config.yml says something that is not allowed; key, value and what is allowed are named."""


@dataclass(frozen=True)
class Key:
    """One key; the fields are explained at the head of keys.yml."""

    path: str
    type: str
    meaning: str
    becomes: str
    zh: str
    effect: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    words: tuple[Any, ...] = ()
    pattern: str | None = None
    looks: str = ""
    any_case: bool = False
    refused: Mapping[Any, str] = field(default_factory=dict)
    steps: tuple[str, ...] = ()

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of texts."""
        return self.type == "strs"

    @property
    def spellings(self) -> tuple[Any, ...]:
        """`words`, and where any case is taken those in capitals."""
        capitals = tuple(word.upper() for word in self.words) if self.any_case else ()
        return self.words + capitals

    @property
    def highest(self) -> float | None:
        """`high`, or the most that Triton's configuration can hold."""
        return INT32_MAX if self.high is None and self.type == "int" else self.high

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        words = TYPES[self.type][2]
        if self.type == "bool" and self.refused:
            return " or ".join(str(w).lower() for w in (True, False) if w not in self.refused)
        if self.words:
            return "one of " + ", ".join(str(word) for word in self.words)
        if self.pattern is not None:
            return f"{words}, {self.looks}"
        ends = [(self.low, "from"), (self.highest, "to")]
        limits = [f"{word} {number:.10g}" for number, word in ends if number is not None]
        return " ".join([words, *limits])

    def parse(self, value: Any, path: str) -> Any:
        """A value of YAML as it is used, a list as a tuple; an empty one is the default."""
        if value is None:
            return self.default
        if self.any_case and isinstance(value, str):
            value = value.lower()
        entries = value if self.is_list else [value]
        if not isinstance(entries, list) or not all(self._is_allowed(entry) for entry in entries):
            says = f"{path} is {shown(value)}"
            if self._has_type(value) and value in self.refused:
                says = f"{path} is {value}: {self.refused[value]}"
            raise ConfigError(f"{says}; {self._hint(value)}")
        return tuple(entries) if self.is_list else value

    def _has_type(self, entry: Any) -> bool:
        # True is an int in Python, and a mistake in a configuration.
        wrong = isinstance(entry, bool) and self.type != "bool"
        return isinstance(entry, TYPES[self.type][0]) and not wrong

    def _is_allowed(self, entry: Any) -> bool:
        if not self._has_type(entry) or entry in self.refused:
            return False
        if self.words and entry not in self.words:
            return False
        if isinstance(entry, str):
            return self.pattern is None or re.fullmatch(self.pattern, entry) is not None
        # Of NaN no comparison is true.
        enough = self.low is None or entry >= self.low
        return enough and (self.highest is None or entry <= self.highest)

    def _hint(self, value: Any) -> str:
        quote = ""
        if self.type == "str" and isinstance(value, int) and not isinstance(value, bool):
            quote = f'; write it in quotes: "{value}"'
        elif isinstance(value, str) and re.fullmatch(UNQUOTED.get(self.type, r"(?!)"), value):
            quote = f"; write it without quotes: {value}"
        return f"allowed: {self.allowed}{quote}"


def shown(value: Any) -> str:
    """A value for a message: a few lines of YAML can stand for more text than a disk holds."""
    brief = reprlib.Repr()
    brief.maxlevel = 2
    brief.maxstring = brief.maxother = brief.maxlong = LONGEST_SHOWN
    text = brief.repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


@cache
def all_keys() -> Mapping[str, Key]:
    """Every key by its path, with NAME for the name of an Op."""
    text = resources.files(__package__).joinpath("keys.yml").read_text("utf-8")
    entries = yaml.safe_load(text)
    for entry in entries.values():
        entry |= {name: tuple(entry[name]) for name in ("words", "steps") if name in entry}
    return {path: Key(path=path, **entry) for path, entry in entries.items()}


def pattern_of(path: str) -> str:
    """The path of a key with NAME for the name of an Op."""
    section, *parts = path.split(".")
    return ".".join([section, NAME, *parts[1:]]) if section == "op" and parts else path


def children(prefix: str) -> list[str]:
    """The names that may stand directly below a path ("" for the top), each once."""
    start = f"{prefix}." if prefix else ""
    below = [path.removeprefix(start) for path in all_keys() if path.startswith(start)]
    return list(dict.fromkeys(path.split(".")[0] for path in below))


def nearest(name: str, pattern: str, path: str) -> str:
    """A sentence that helps whoever wrote an unknown name below a path (`pattern`: with NAME)."""
    name = OTHER_NAMES.get(name, name)
    op = path.split(".")[1] if path.startswith("op.") else NAME
    here = {one: f"{path}.{one}" if path else one for one in children(pattern)}
    elsewhere: dict[str, str] = {}
    for known in all_keys():
        elsewhere.setdefault(known.rpartition(".")[2], known.replace(NAME, op))
    if name in elsewhere:
        return f"did you mean {elsewhere[name]}?"
    for places in (here, elsewhere):
        if near := difflib.get_close_matches(name, places, n=1):
            return f"did you mean {places[near[0]]}?"
    return f"allowed here: {', '.join(here)}"
