"""A config.yml as read: every key with a value of its type, and which ones were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ppocr_converters.repository.serving_config.keys import (
    NAME,
    ConfigError,
    Key,
    all_keys,
    children,
    nearest,
    pattern_of,
    shown,
)

MERGE = "tag:yaml.org,2002:merge"  # of the key <<


@dataclass(frozen=True)
class Document:
    """A configuration.

    Attributes:
        folder: that relative paths in it start from: its own.
        values: of every key by its path, the defaults where nothing was written.
        written: paths of the keys with a value of their own.
    """

    folder: Path
    ops: tuple[str, ...]
    values: Mapping[str, Any]
    written: frozenset[str]

    def __getitem__(self, path: str) -> Any:
        return self.values[path]


def parse_document(text: str, folder: Path, overrides: Sequence[str] = ()) -> Document:
    """Read the text of a config.yml whose relative paths start from `folder`.

    `overrides`, KEY.OF.PATH=VALUE, stand in place of what it says.

    Raises:
        ConfigError: it is no YAML, or holds a key or a value that is not allowed.
    """
    try:
        data = _Loader(text).get_single_data()
    except yaml.constructor.ConstructorError as error:
        raise ConfigError(f"not taken: {_one_line(error)}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {_one_line(error)}") from error
    except RecursionError as error:
        raise ConfigError("not a configuration: nested without end") from error
    found = dict([*_walk(data, "", ""), *map(_override, overrides)])
    ops = tuple(dict.fromkeys(path.split(".")[1] for path in found if path.startswith("op.")))
    keys = dict(expand(ops))
    values = {path: key.parse(found.get(path), path) for path, key in keys.items()}
    written = frozenset(path for path in keys if found.get(path) is not None)
    return Document(folder, ops, values, written)


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "at ")


def expand(ops: Sequence[str]) -> Iterator[tuple[str, Key]]:
    """Every key by its path; those of Ops once for each name."""
    keys = all_keys()
    of_ops = [path for path in keys if path.startswith(f"op.{NAME}.")]
    for path, key in keys.items():
        if path == of_ops[0]:
            yield from ((one.replace(NAME, op, 1), keys[one]) for op in ops for one in of_ops)
        elif path not in of_ops:
            yield path, key


def _walk(data: Any, pattern: str, path: str) -> Iterator[tuple[str, Any]]:
    """Every leaf by its path; what is not in the table is refused with the nearest name."""
    if pattern == f"op.{NAME}":
        yield f"{path}.concurrency", None  # an Op is there even when all of it is left at defaults
    if data is None:
        return
    if not isinstance(data, dict):
        names = ["the names of Ops, such as det and rec"] if path == "op" else children(pattern)
        where, allowed = path or "the file", ", ".join(names)
        raise ConfigError(f"{where} is {shown(data)}; allowed: a mapping with {allowed}")
    for name, value in data.items():
        here = f"{path}.{name}" if path else str(name)
        step = NAME if pattern == "op" else str(name)
        below = f"{pattern}.{step}" if pattern else step
        if below in all_keys():
            yield here, value
        elif not children(below):
            raise ConfigError(f"unknown key {here}; {nearest(str(name), pattern, path)}")
        elif pattern == "op" and "." in str(name):
            raise ConfigError(f"{here}: the name of an Op cannot have a dot in it")
        else:
            yield from _walk(value, below, here)


def _override(given: str) -> tuple[str, Any]:
    """Path and value of `KEY.OF.PATH=VALUE`; a text needs no quotes, other values are YAML."""
    path, equals, text = given.partition("=")
    path = path.strip()
    if not equals:
        raise ConfigError(f"--opt {given}: write KEY.OF.PATH=VALUE, as in op.det.concurrency=1")
    pattern = pattern_of(path)
    if pattern not in all_keys():
        above, _, name = path.rpartition(".")
        hint = nearest(name, pattern.rpartition(".")[0], above)
        raise ConfigError(f"--opt {given}: unknown key {path}; {hint}")
    if all_keys()[pattern].type == "str":
        return path, text.strip()
    try:
        return path, _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        raise ConfigError(f"--opt {given}: {shown(text)} is no YAML") from error


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice: YAML would silently take the last one.

    What `<<` merges in may be overridden, as everywhere.
    """

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """A value; PyYAML stumbles over one that is not what its tag says, as in `!!int x`."""
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str | int):
                str(value).encode()  # neither half a surrogate pair nor 5000 digits can be shown
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            line = node.start_mark.line + 1
            raise ConfigError(f"line {line}: {shown(node.value)} is no {node.tag}") from error
        return value

    def compose_mapping_node(self, anchor: Any) -> Any:
        """A mapping with every key once, as it is before anything is merged into it."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            name = _identity(key)
            if name in seen and key.tag != MERGE:
                line = key.start_mark.line + 1
                raise ConfigError(f"line {line}: the key {key.value} is written twice")
            seen.add(name)
        return node

    def flatten_mapping(self, node: Any) -> None:
        """Merge in what `<<` names, each key once: a chain of merges would grow without bound."""
        super().flatten_mapping(node)
        node.value = list({_identity(key): (key, value) for key, value in node.value}.values())


def _identity(key: Any) -> tuple[str, Any]:
    """What makes two keys of a mapping the same one."""
    return key.tag, key.value if isinstance(key, yaml.ScalarNode) else id(key)
