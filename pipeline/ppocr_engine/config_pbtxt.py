"""config.pbtxt files, read and written through Triton's own `ModelConfig`.

The writer is deterministic and always names `max_batch_size`: the text form of proto3 drops a 0,
and the backend would then choose a batch size of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from ppocr_engine.errors import RepositoryError

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
    from google.protobuf import text_format
    from tritonclient.grpc.model_config_pb2 import ModelConfig

    try:
        return text_format.Parse(path.read_text("utf-8"), ModelConfig())
    except OSError as error:
        raise RepositoryError(f"cannot read {path}: {error.strerror}") from error
    except text_format.ParseError as error:
        raise RepositoryError(f"{path} is not a valid model configuration: line {error}") from error


def write_config(path: Path, config: Any) -> None:
    """Write a `ModelConfig`; the comment lines that head an existing file are kept."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    head = takewhile(lambda line: line.startswith("#"), lines)
    path.write_text("".join(head) + format_config(config), "utf-8")


def format_config(config: Any) -> str:
    """The text of a `ModelConfig`: fields in the order of their numbers, maps sorted by key."""
    from google.protobuf import text_format

    text = text_format.MessageToString(config, as_utf8=True, use_short_repeated_primitives=True)
    if config.max_batch_size:
        return text
    name, rest = text.split("\n", 1)
    return f"{name}\nmax_batch_size: 0\n{rest}"


def config_json(config: Any) -> Mapping[str, Any]:
    """A `ModelConfig` in the form in which Triton hands it to a Python backend."""
    from google.protobuf import json_format

    found: Mapping[str, Any] = json_format.MessageToDict(config, preserving_proto_field_name=True)
    return found


def read_parameters(path: Path) -> dict[str, str]:
    """The `parameters` of a config.pbtxt.

    Raises:
        RepositoryError: see `read_config`.
    """
    return {name: value.string_value for name, value in read_config(path).parameters.items()}


def set_parameter(config: Any, name: str, value: object) -> None:
    """Set one entry of a configuration's `parameters`."""
    config.parameters[name].string_value = str(value)


def instance_count(config: Any, gpus: int = 1) -> int:
    """Instances that a `ModelConfig` starts on all devices together; 1 where it names none.

    Args:
        config: Triton's `ModelConfig`.
        gpus: GPUs of the machine; a group of KIND_GPU that lists none runs on each of them.
    """
    return sum(max(1, group.count) * _devices(group, gpus) for group in config.instance_group) or 1


def _devices(group: Any, gpus: int) -> int:
    if group.gpus:
        return len(group.gpus)
    return max(1, gpus) if group.kind == group.KIND_GPU else 1
