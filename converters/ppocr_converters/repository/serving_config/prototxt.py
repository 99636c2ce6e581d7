"""serving_server_conf.prototxt: what a model of Paddle Serving is fed and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ppocr_converters.repository.serving_config.keys import ConfigError

FILE = "serving_server_conf.prototxt"


@dataclass(frozen=True)
class Variable:
    """An input or output: its name, its alias, and its shape without the batch axis."""

    name: str
    alias: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Prototxt:
    """What the model is fed and what it returns."""

    feeds: tuple[Variable, ...]
    fetches: tuple[Variable, ...]


def read_prototxt(folder: Path) -> Prototxt | None:
    """The description in a model's folder, or None where there is none.

    Raises:
        ConfigError: it is malformed.
    """
    from google.protobuf import text_format

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = text_format.Parse(path.read_text("utf-8"), _message(), allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is malformed: {error}") from error
    return Prototxt(_variables(found.feed_var), _variables(found.fetch_var))


def check_fetch_list(path: str, wanted: Sequence[str], found: Prototxt | None) -> str | None:
    """See that a fetch_list names outputs of the model, by name or alias.

    Args:
        path: of the key, for messages.
        wanted: the list.
        found: the model's description.

    Returns:
        A warning where there is no description to check against.

    Raises:
        ConfigError: an entry is neither the name nor the alias of an output.
    """
    if not wanted:
        return None
    if found is None:
        return f"not checked: the model has no {FILE}; its network's one output is served"
    known = {name for fetch in found.fetches for name in (fetch.name, fetch.alias)}
    for name in wanted:
        if name not in known:
            raise ConfigError(f"{path} names {name!r}; the model has {', '.join(sorted(known))}")
    return None


def _variables(messages: Any) -> tuple[Variable, ...]:
    return tuple(
        Variable(message.name, message.alias_name or message.name, tuple(message.shape))
        for message in messages
    )


@lru_cache(maxsize=1)
def _message_class() -> Any:
    """A message class with the fields that are needed; protobuf reads the text form itself."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="ppocr_serving_conf.proto", syntax="proto2")
    file.package = "ppocr_converters"
    for kind in ("feed", "fetch"):
        variable = file.message_type.add(name=f"{kind.title()}Var")
        names = (
            ("name", field.TYPE_STRING, field.LABEL_OPTIONAL),
            ("alias_name", field.TYPE_STRING, field.LABEL_OPTIONAL),
            ("is_lod_tensor", field.TYPE_BOOL, field.LABEL_OPTIONAL),
            (f"{kind}_type", field.TYPE_INT32, field.LABEL_OPTIONAL),
            ("shape", field.TYPE_INT64, field.LABEL_REPEATED),
        )
        for number, (name, type_, label) in enumerate(names, 1):
            variable.field.add(name=name, number=number, type=type_, label=label)
    conf = file.message_type.add(name="ModelConf")
    for number, kind in enumerate(("feed", "fetch"), 1):
        conf.field.add(
            name=f"{kind}_var",
            number=number,
            type=field.TYPE_MESSAGE,
            label=field.LABEL_REPEATED,
            type_name=f".ppocr_converters.{kind.title()}Var",
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ppocr_converters.ModelConf"))


def _message() -> Any:
    return _message_class()()
