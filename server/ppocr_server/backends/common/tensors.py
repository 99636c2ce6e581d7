"""The tensors of a graph and those a configuration declares: compare, or fill in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ppocr_engine.errors import EngineError
from ppocr_engine.session import ANY, Tensor

# The C++ backends' default of their option default-max-batch-size.
DEFAULT_MAX_BATCH_SIZE = 4


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
        EngineError: a name, type or shape does not fit; names both.
    """
    for entry in declared:
        name, data_type = entry["name"], entry["data_type"]
        if name not in graph:
            has = ", ".join(f"'{known}'" for known in graph) or "none"
            raise EngineError(
                f"the configuration declares {kind} '{name}', the graph's {kind}s are {has}"
            )
        if entry.get("allow_ragged_batch"):
            raise EngineError(f"{kind} '{name}' is a ragged batch, which is not supported here")
        if entry.get("optional") and max_batch_size > 0:
            raise EngineError(f"{kind} '{name}' is optional, which a batching model cannot have")
        tensor = graph[name]
        if data_type != tensor.data_type:
            raise EngineError(
                f"the configuration declares {kind} '{name}' as {data_type}, "
                f"the graph has {tensor.data_type}"
            )
        dims = tuple(entry["reshape"].get("shape", ()) if "reshape" in entry else entry["dims"])
        _check_shape(kind, tensor, dims, max_batch_size)
    return [entry["name"] for entry in declared]


def check_complete(required: Mapping[str, Tensor], declared: Sequence[str]) -> None:
    """Refuse a configuration that leaves an input of the graph out.

    Raises:
        EngineError: names what is missing and what is declared.
    """
    missing = [name for name in required if name not in declared]
    if missing:
        raise EngineError(
            f"the graph needs input {', '.join(map(repr, missing))}, the configuration declares "
            f"{', '.join(map(repr, declared))}"
        )


def _check_shape(kind: str, tensor: Tensor, dims: tuple[int, ...], max_batch_size: int) -> None:
    if max_batch_size > 0 and tensor.shape[:1] != (ANY,):
        raise EngineError(
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
        raise EngineError(
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
        EngineError: a tensor has a batch dimension only; a Python-based backend cannot
            fill in the `reshape` that it needs.
    """
    entries: list[dict[str, Any]] = []
    for tensor in tensors:
        dims = list(tensor.shape[1 if max_batch_size > 0 else 0 :])
        if not dims and max_batch_size > 0:
            raise EngineError(
                f"{kind} '{tensor.name}' is one value a row, which cannot be filled in; declare "
                "it in config.pbtxt: dims: 1 reshape { shape: [] }"
            )
        entries.append({"name": tensor.name, "data_type": tensor.data_type, "dims": dims or [1]})
    return entries
