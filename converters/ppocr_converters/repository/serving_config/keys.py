"""The table of keys, read from keys.yml: types, ranges, defaults and what each key becomes."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from ppocr_converters.errors import ConvertError

#: Stands in a path where the name of an Op does.
NAME = "NAME"
INT32_MAX = 2**31 - 1
LONGEST_SHOWN = 200  # characters of a value in a message
#: The types of a value: in Python, in a JSON schema, and in words; a list's are its entries'.
TYPES: dict[str, tuple[tuple[type, ...], str, str]] = {
    "int": ((int,), "integer", "a whole number"),
    "number": ((int, float), "number", "a number"),
    "bool": ((bool,), "boolean", "true or false"),
    "str": ((str,), "string", "a text"),
    "ints": ((int,), "integer", "a list of whole numbers"),
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
        """Whether the value is a list."""
        return self.type in ("ints", "strs")

    @property
    def spellings(self) -> tuple[Any, ...]:
        """`words`, and where any case is taken those in capitals."""
        capitals = tuple(word.upper() for word in self.words) if self.any_case else ()
        return self.words + capitals

    @property
    def highest(self) -> float | None:
        """`high`, or the most that Triton's configuration can hold."""
        return INT32_MAX if self.high is None and self.type in ("int", "ints") else self.high

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
        """A value of YAML as it is used, a list as a tuple; an empty one is the default.

        Raises:
            ConfigError: a wrong type, out of range, or known and refused.
        """
        if value is None:
            return self.default
        if self.any_case and isinstance(value, str):
            value = value.lower()
        entries = value if self.is_list else [value]
        if not isinstance(entries, list) or not all(self._is_allowed(entry) for entry in entries):
            if not self.is_list and self._has_type(value) and value in self.refused:
                raise ConfigError(f"{path} is {value}: {self.refused[value]}; {self._hint(value)}")
            raise ConfigError(f"{path} is {shown(value)}; {self._hint(value)}")
        return tuple(entries) if self.is_list else value

    def _has_type(self, entry: Any) -> bool:
        # True is an int in Python, and a mistake in a configuration.
        return isinstance(entry, TYPES[self.type][0]) and (
            self.type == "bool" or not isinstance(entry, bool)
        )

    def _is_allowed(self, entry: Any) -> bool:
        if not self._has_type(entry) or (self.words and entry not in self.words):
            return False
        if entry in self.refused:
            return False
        if self.pattern is not None:
            return re.fullmatch(self.pattern, entry) is not None
        if isinstance(entry, str):
            return True
        # `not >=` refuses NaN as well.
        return not (
            (self.low is not None and not entry >= self.low)
            or (self.highest is not None and not entry <= self.highest)
        )

    def _hint(self, value: Any) -> str:
        number = isinstance(value, int) and not isinstance(value, bool)
        quote = f'; write it in quotes: "{value}"' if self.type == "str" and number else ""
        if (
            isinstance(value, str)
            and self.type in UNQUOTED
            and re.fullmatch(UNQUOTED[self.type], value)
        ):
            quote = f"; write it without quotes: {value}"
        return f"allowed: {self.allowed}{quote}"


def shown(value: Any) -> str:
    """A value for a message: a few lines of YAML can stand for more text than a disk holds."""
    brief = reprlib.Repr()
    brief.maxlevel = 2
    brief.maxstring = brief.maxother = brief.maxlong = LONGEST_SHOWN
    text = brief.repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


@lru_cache(maxsize=1)
def all_keys() -> Mapping[str, Key]:
    """Every key by its path, with NAME for the name of an Op."""
    text = resources.files(__package__).joinpath("keys.yml").read_text("utf-8")
    return {path: _key(path, entry) for path, entry in yaml.safe_load(text).items()}


def _key(path: str, entry: dict[str, Any]) -> Key:
    for name in {"words", "steps"} & entry.keys():
        entry[name] = tuple(entry[name])
    return Key(path=path, **entry)


def key_at(path: str) -> tuple[str, Key | None]:
    """The path of a key with NAME for the name of an Op, and the key; None where there is none."""
    parts = path.split(".")
    if parts[0] == "op" and len(parts) > 1:
        parts[1] = NAME
    pattern = ".".join(parts)
    return pattern, all_keys().get(pattern)


def children(prefix: str) -> list[str]:
    """The names that may stand directly below a path ("" for the top), each once."""
    start = f"{prefix}." if prefix else ""
    below = [path.removeprefix(start) for path in all_keys() if path.startswith(start)]
    return list(dict.fromkeys(path.split(".")[0] for path in below))


def nearest(name: str, pattern: str, path: str) -> str:
    """A sentence that helps whoever wrote an unknown name below a path (`pattern`: with NAME).

    The same name elsewhere wins, then the nearest one here, then the nearest one elsewhere.
    """
    name = OTHER_NAMES.get(name, name)
    here = children(pattern)
    start = f"{path}." if path else ""
    elsewhere: dict[str, str] = {}
    op = path.split(".")[1] if path.startswith("op.") else NAME
    for known in all_keys():
        elsewhere.setdefault(known.rsplit(".", 1)[-1], known.replace(NAME, op))
    if name in elsewhere:
        return f"did you mean {elsewhere[name]}?"
    if near := difflib.get_close_matches(name, here, n=1):
        return f"did you mean {start}{near[0]}?"
    if near := difflib.get_close_matches(name, elsewhere, n=1):
        return f"did you mean {elsewhere[near[0]]}?"
    return f"allowed here: {names(pattern)}"


def names(pattern: str) -> str:
    """The names that may stand below a path, for a message."""
    return ", ".join(children(pattern))
