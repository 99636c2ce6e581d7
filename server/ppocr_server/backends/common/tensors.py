"""The tensors of a graph and those a configuration declares: compare, or fill in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ppocr_server.backends.common.config import ConfigurationError

# The C++ backends' default of their option default-max-batch-size.
DEFAULT_MAX_BATCH_SIZE = 4
ANY = -1


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph: Triton's type and all dimensions, -1 where variable."""

    name: str
    data_type: str
    shape: tuple[int, ...]


def graph_tensors(
    nodes: Iterable[tuple[str, str, Sequence[object]]], types: Mapping[str, str], backend: str
) -> dict[str, Tensor]:
    """Return the tensors by name.

    Args:
        nodes: name, the engine's name of the type, and dimensions; whatever is not a whole number
            from 0 on is variable.
        types: Triton's name of each type that the engine names.
        backend: for messages.

    Raises:
        ConfigurationError: a type cannot be served (strings, bfloat16, sequences, maps).
    """
    tensors = {}
    for name, kind, dims in nodes:
        if kind not in types:
            raise ConfigurationError(
                f"the graph's tensor '{name}' is a {kind}, which the Python stand-in "
                f"for {backend} does not serve"
            )
        shape = tuple(size if isinstance(size, int) and size >= 0 else ANY for size in dims)
        tensors[name] = Tensor(name, types[kind], shape)
    return tensors


def check_tensors(
    kind: str,
    declared: Sequence[Mapping[str, Any]],
    graph: Mapping[str, Tensor],
    max_batch_size: int,
) -> list[str]:
    """Compare declared tensors with the graph's; returns the declared names.

    A declared dimension may be fixed where the graph's is variable, not the other way round.

    Args:
        kind: "input" or "output", for messages.
        declared: entries of `input` or `output` of the model configuration.
        graph: tensors of the graph by name; for inputs including initializers that may be fed.
        max_batch_size: above 0 the graph has one leading batch dimension more than declared.

    Raises:
        ConfigurationError: a name, type or shape does not fit; names both.
    """
    for entry in declared:
        name, data_type = entry["name"], entry["data_type"]
        if name not in graph:
            has = ", ".join(f"'{known}'" for known in graph) or "none"
            raise ConfigurationError(
                f"the configuration declares {kind} '{name}', the graph's {kind}s are {has}"
            )
        if entry.get("allow_ragged_batch"):
            raise ConfigurationError(
                f"{kind} '{name}' is a ragged batch, which is not supported here"
            )
        if entry.get("optional") and max_batch_size > 0:
            raise ConfigurationError(
                f"{kind} '{name}' is optional, which a batching model cannot have"
            )
        tensor = graph[name]
        if data_type != tensor.data_type:
            raise ConfigurationError(
                f"the configuration declares {kind} '{name}' as {data_type}, "
                f"the graph has {tensor.data_type}"
            )
        dims = tuple(entry["reshape"].get("shape", ()) if "reshape" in entry else entry["dims"])
        _check_shape(kind, tensor, dims, max_batch_size)
    return [entry["name"] for entry in declared]


def check_complete(required: Mapping[str, Tensor], declared: Sequence[str]) -> None:
    """Refuse a configuration that leaves an input of the graph out.

    Raises:
        ConfigurationError: names what is missing and what is declared.
    """
    missing = [name for name in required if name not in declared]
    if missing:
        raise ConfigurationError(
            f"the graph needs input {', '.join(map(repr, missing))}, the configuration declares "
            f"{', '.join(map(repr, declared))}"
        )


def _check_shape(kind: str, tensor: Tensor, dims: tuple[int, ...], max_batch_size: int) -> None:
    if max_batch_size > 0 and tensor.shape[:1] != (ANY,):
        raise ConfigurationError(
            f"max_batch_size is {max_batch_size}, which needs a variable first dimension, "
            f"but the graph's {kind} '{tensor.name}' has shape {list(tensor.shape)}"
        )
    full = (ANY, *dims) if max_batch_size > 0 else dims
    if not tensor.shape and all(size == 1 for size in dims):
        return
    fits = len(full) == len(tensor.shape) and all(
        ours in (ANY, theirs) for ours, theirs in zip(tensor.shape, full, strict=True)
    )
    if not fits:
        batch = " (batch dimension included)" if max_batch_size > 0 else ""
        raise ConfigurationError(
            f"the configuration declares {kind} '{tensor.name}' with shape {list(full)}{batch}, "
            f"the graph has {list(tensor.shape)}"
        )


def supports_batching(tensors: Sequence[Tensor]) -> bool:
    """Whether every tensor has a variable first dimension."""
    return all(tensor.shape[:1] == (ANY,) for tensor in tensors)


def declarations(kind: str, tensors: Sequence[Tensor], max_batch_size: int) -> list[dict[str, Any]]:
    """Configuration entries for tensors, as the C++ backends fill them in.

    The batch dimension is left out; a tensor without any dimension becomes `[1]`.

    Raises:
        ConfigurationError: a tensor has a batch dimension only; a Python-based backend cannot
            fill in the `reshape` that it needs.
    """
    entries: list[dict[str, Any]] = []
    for tensor in tensors:
        dims = list(tensor.shape[1 if max_batch_size > 0 else 0 :])
        if not dims and max_batch_size > 0:
            raise ConfigurationError(
                f"{kind} '{tensor.name}' is one value a row, which cannot be filled in; declare "
                "it in config.pbtxt: dims: 1 reshape { shape: [] }"
            )
        entries.append({"name": tensor.name, "data_type": tensor.data_type, "dims": dims or [1]})
    return entries
