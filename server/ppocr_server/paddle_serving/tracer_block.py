"""The statistics block in the lines and units of Paddle Serving's.

What they mean here, for one Op in the last interval, in milliseconds for each picture: `in`
waiting for an instance, `prep`, `midp` and `postp` computing in the models that do this part of the
Op's work, `out` handing tensors on. `recognize` calls `rec` while it computes, so the time of `rec`
is taken off its own. `idle` is the share of the interval in which the instances of the Op's busiest
model had nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from ppocr_server.paddle_serving.records import Records
from ppocr_server.paddle_serving.settings import OpModels

PERCENTILES = (50, 60, 70, 80, 90, 95, 99)
# Models that wait, while they compute, for the `midp` models of their Op.
CALLERS = ("recognize",)


@dataclass(frozen=True)
class Counts:
    """What one model has done: requests, and nanoseconds summed over them.

    `busy` is summed over executions instead: the requests of one batch share theirs.
    """

    requests: int = 0
    queue: int = 0
    infer: int = 0
    moving: int = 0
    busy: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(a - b for a, b in zip(_values(self), _values(other), strict=True)))


def _values(counts: Counts) -> list[int]:
    return [getattr(counts, field.name) for field in fields(counts)]


@dataclass(frozen=True)
class Queues:
    """Requests in progress and waiting at the endpoints, and waiting in Triton by model."""

    running: int
    workers: int
    waiting: int
    max_waiting: int
    pending: Mapping[str, int]


def tracer_block(
    ops: Mapping[str, OpModels],
    change: Mapping[str, Counts],
    instances: Mapping[str, int],
    records: Records,
    queues: Queues,
    seconds: float,
) -> Iterator[str]:
    """The lines of one block.

    Args:
        ops: the models of each Op, in the order of the pipeline.
        change: what each model has done in the interval.
        instances: how many instances each model has.
        records: the service's requests in the interval.
        queues: lengths at its end.
        seconds: length of the interval.
    """
    yield "==================== TRACER ======================"
    for name, models in ops.items():
        yield from op_lines(name, models, change, instances, seconds)
    if records.latencies:
        yield from service_lines(records, seconds)
    yield f"Channel (server worker num[{queues.workers}]):"
    yield from queue_lines(list(ops.items()), queues)


def op_lines(
    name: str,
    models: OpModels,
    change: Mapping[str, Counts],
    instances: Mapping[str, int],
    seconds: float,
) -> Iterator[str]:
    """The lines of one Op; none where it had nothing to do."""
    parts = {
        action: [change.get(model, Counts()) for model in getattr(models, action)]
        for action in ("prep", "midp", "postp")
    }
    pictures = parts["prep"][0].requests
    if not pictures:
        return
    total = {action: sum(counts, Counts()) for action, counts in parts.items()}
    everything = sum(total.values(), Counts())
    infer = {action: counts.infer for action, counts in total.items()}
    if any(model in CALLERS for model in models.prep):
        called = total["midp"]
        # Batches are read side by side: their sum can be more than the time that has passed.
        infer["prep"] = max(0, infer["prep"] - called.queue - called.infer - called.moving)
    times = {"in": everything.queue, **infer, "out": everything.moving}
    yield f"Op({name}):"
    for action, nanoseconds in times.items():
        if action not in parts or parts[action]:
            yield f"\t{action}[{nanoseconds / 1e6 / pictures} ms]"
    shares = [
        change[model].busy / 1e9 / seconds / instances.get(model, 1)
        for model in models.models
        if model in change
    ]
    # Work that was counted at its end may have begun before the interval.
    yield f"\tidle[{max(0.0, 1 - max(shares))}]"


def service_lines(records: Records, seconds: float) -> Iterator[str]:
    """The lines of the service as its clients see it."""
    latencies = sorted(records.latencies)
    count = len(latencies)
    yield "DAGExecutor:"
    yield f"\tQuery count[{count}]"
    yield f"\tQPS[{count / seconds} q/s]"
    yield f"\tSucc[{1 - len(records.failed) / count}]"
    yield f"\tError req[{', '.join(records.failed)}]"
    yield "\tLatency:"
    yield f"\t\tave[{sum(latencies) / count} ms]"
    for percentile in PERCENTILES:
        yield f"\t\t.{percentile}[{latencies[count * percentile // 100]} ms]"


def queue_lines(ops: Sequence[tuple[str, OpModels]], queues: Queues) -> Iterator[str]:
    """The queue before each Op; the first is the endpoints' own."""
    yield _queue("endpoint", "client", "endpoint", queues.waiting, queues.max_waiting)
    before = "endpoint"
    for name, models in ops:
        if any(model in queues.pending for model in models.models):
            waiting = sum(queues.pending.get(model, 0) for model in models.models)
            yield _queue(name, before, name, waiting, 0)
        before = name


def _queue(name: str, before: str, after: str, length: int, longest: int) -> str:
    return f"\t{name}(In: ['{before}'], Out: ['{after}']) size[{length}/{longest}]"
