"""Tensors: declared ones compared with the graph's, those of requests merged into few runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ppocr_engine.errors import EngineError
from ppocr_engine.session import ANY, Array, Feeds, Tensor

# Runs the graph: inputs by name to outputs by name.
Run = Callable[[Feeds], Mapping[str, Array]]
Answer = Mapping[str, Array] | Exception


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
        EngineError: nothing is declared, or a name, type or shape does not fit; names both.
    """
    if not declared:
        raise EngineError(
            f"the configuration declares no {kind}; give the name, data_type and dims of each "
            f"{kind} in config.pbtxt, as `ppocr-convert build` does: {', '.join(map(repr, graph))}"
        )
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


def check_complete(required: Mapping[str, Tensor], declared: Sequence[str]) -> None:
    """Refuse a configuration that leaves an input of the graph out.

    Raises:
        EngineError: names what is missing and what is declared.
    """
    if missing := [name for name in required if name not in declared]:
        raise EngineError(
            f"the graph needs input {', '.join(map(repr, missing))}, the configuration declares "
            f"{', '.join(map(repr, declared))}"
        )


def run_requests(
    requests: Sequence[Feeds], run: Run, *, batching: bool, errors: tuple[type[Exception], ...]
) -> list[Answer]:
    """Run all requests with as few runs as their shapes allow; answers in the same order.

    A request alone in its group is passed on without a copy. When a merged run fails, its
    requests are run one by one, so that only the one at fault gets the error.

    Args:
        requests: input arrays by name; with `batching` the first dimension is the batch.
        run: runs the graph once.
        batching: False when max_batch_size is 0: every request is a run of its own.
        errors: what `run` may raise for a request; becomes the answer.
    """
    groups: dict[object, list[int]] = {}
    for index, feeds in enumerate(requests):
        shapes = tuple((name, array.shape[1:]) for name, array in sorted(feeds.items()))
        groups.setdefault(shapes if batching else index, []).append(index)
    answers: list[Answer] = [{}] * len(requests)
    for members in groups.values():
        group = [requests[index] for index in members]
        results: Sequence[Answer]
        try:
            results = _run_batch(group, run) if batching else [run(feeds) for feeds in group]
        except errors as error:
            results = (
                [error]
                if len(group) == 1
                else [run_requests([one], run, batching=True, errors=errors)[0] for one in group]
            )
        for index, result in zip(members, results, strict=True):
            answers[index] = result
    return answers


def _run_batch(group: Sequence[Feeds], run: Run) -> list[Answer]:
    merged = group[0]
    if len(group) > 1:
        merged = {name: np.concatenate([feeds[name] for feeds in group]) for name in group[0]}
    counts = [len(next(iter(feeds.values()))) for feeds in group]
    outputs = run(merged)
    for name, array in outputs.items():
        if array.shape[:1] != (sum(counts),):
            raise ValueError(
                f"output '{name}' has shape {list(array.shape)} for a batch of {sum(counts)}; "
                "the graph does not keep the batch dimension, so max_batch_size must be 0"
            )
    # Rows of a contiguous array are contiguous: no copy.
    return [
        {name: array[end - count : end] for name, array in outputs.items()}
        for end, count in zip(np.cumsum(counts), counts, strict=True)
    ]
