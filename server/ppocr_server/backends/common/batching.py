"""Merge requests of equal shapes into one run, and give each its rows back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ppocr_engine.session import Array, Feeds

# Runs the graph: inputs by name to outputs by name.
Run = Callable[[Feeds], Mapping[str, Array]]
Answer = Mapping[str, Array] | Exception


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
    run_group = _run_batch if batching else _run_single
    answers: list[Answer] = [{}] * len(requests)
    for members in _groups(requests, batching):
        group = [requests[index] for index in members]
        try:
            results: Sequence[Answer] = run_group(group, run)
        except errors as error:
            results = [error] if len(group) == 1 else _run_apart(group, run, errors)
        for index, result in zip(members, results, strict=True):
            answers[index] = result
    return answers


def _groups(requests: Sequence[Feeds], batching: bool) -> list[list[int]]:
    if not batching:
        return [[index] for index in range(len(requests))]
    groups: dict[object, list[int]] = {}
    for index, feeds in enumerate(requests):
        key = tuple((name, array.shape[1:]) for name, array in sorted(feeds.items()))
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _run_single(group: Sequence[Feeds], run: Run) -> list[Answer]:
    return [run(feeds) for feeds in group]


def _run_apart(
    group: Sequence[Feeds], run: Run, errors: tuple[type[Exception], ...]
) -> list[Answer]:
    """Run requests one by one after their common run failed."""
    return [run_requests([feeds], run, batching=True, errors=errors)[0] for feeds in group]


def _run_batch(group: Sequence[Feeds], run: Run) -> list[Answer]:
    if len(group) == 1:
        merged = group[0]
    else:
        merged = {name: np.concatenate([feeds[name] for feeds in group]) for name in group[0]}
    counts = [len(next(iter(feeds.values()))) for feeds in group]
    outputs = run(merged)
    for name, array in outputs.items():
        if array.shape[:1] != (sum(counts),):
            raise ValueError(
                f"output '{name}' has shape {list(array.shape)} for a batch of {sum(counts)}; "
                "the graph does not keep the batch dimension, so max_batch_size must be 0"
            )
    ends = np.cumsum(counts)
    # Rows of a contiguous array are contiguous: no copy.
    return [
        {name: array[end - count : end] for name, array in outputs.items()}
        for end, count in zip(ends, counts, strict=True)
    ]
