"""config.pbtxt files, read and written through Triton's own `ModelConfig`.

The writer is deterministic and always names `max_batch_size`: the text form of proto3 drops a 0,
and the backend would then choose a batch size of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ppocr_converters.errors import RepositoryError

#: Triton's names of NumPy's types.
TYPES = {
    "uint8": "TYPE_UINT8",
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float32": "TYPE_FP32",
}


def read_config(path: Path) -> Any:
    """Read a config.pbtxt as a `ModelConfig`.

    Raises:
        RepositoryError: missing, or not what Triton understands; the line is named.
    """
    try:
        return text_format.Parse(path.read_text("utf-8"), ModelConfig())
    except OSError as error:
        raise RepositoryError(f"cannot read {path}: {error.strerror}") from error
    except text_format.ParseError as error:
        raise RepositoryError(f"{path} is not a model configuration: line {error}") from error


def write_config(path: Path, config: Any) -> None:
    """Write a `ModelConfig`; the comment lines that head an existing file are kept."""
    head = _head(path.read_text("utf-8")) if path.exists() else ""
    path.write_text(head + format_config(config), "utf-8")


def format_config(config: Any) -> str:
    """The text of a `ModelConfig`: fields in the order of their numbers, maps sorted by key."""
    text = text_format.MessageToString(config, as_utf8=True, use_short_repeated_primitives=True)
    if config.max_batch_size:
        return text
    name, rest = text.split("\n", 1)
    return f"{name}\nmax_batch_size: 0\n{rest}"


def set_parameter(config: Any, name: str, value: object) -> None:
    """Set one entry of a configuration's `parameters`."""
    config.parameters[name].string_value = str(value)


def _head(text: str) -> str:
    lines = []
    for line in text.splitlines(keepends=True):
        if not line.startswith("#"):
            break
        lines.append(line)
    return "".join(lines)
