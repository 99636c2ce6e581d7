"""The statistics block, with the lines and units of Paddle Serving.

The times of an Op are of the last interval, in milliseconds for each picture. `in` is waiting for
an instance. `prep`, `midp` and `postp` are computing in the models of that part of the Op. `out` is
moving tensors. `recognize` crops before it calls `rec` and decodes afterwards. Triton's statistics
have one time for both; the counters of `recognize` in Triton's metrics divide it. Without them the
time of `rec` is subtracted, and the rest is `prep`. `idle` is the share of the interval in which
the instances of the Op's busiest model had no work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ppocr_server.paddle_serving.concurrency_limit import ConcurrencyLimit
from ppocr_server.paddle_serving.settings import OpModels
from ppocr_server.paddle_serving.tracing.records import Records

PERCENTILES = (50, 60, 70, 80, 90, 95, 99)
# Models whose own time includes waiting for the `midp` models of their Op.
CALLERS = ("recognize",)
# The phases of their counters by action of the Op.
PHASES = {"prep": "crop", "postp": "decode"}


class Counts(NamedTuple):
    """The work of one model: requests, and nanoseconds summed over them.

    `busy` is summed over executions, because the requests of one batch share one.
    """

    requests: int = 0
    queue: int = 0
    infer: int = 0
    moving: int = 0
    busy: int = 0


def _total(counts: Iterable[Counts]) -> Counts:
    return Counts(*map(sum, zip(*counts, strict=True)))


def tracer_block(
    ops: Mapping[str, OpModels],
    change: Mapping[str, Counts],
    instances: Mapping[str, int],
    phases: Mapping[str, Mapping[str, float]],
    records: Records,
    limit: ConcurrencyLimit,
    pending: Mapping[str, int],
    seconds: float,
) -> Iterator[str]:
    """The lines of one block.

    Args:
        ops: the models of each Op, in the order of the pipeline.
        change: what each model has done in the interval.
        instances: how many instances each model has.
        phases: seconds in each phase of the models that count them; only the ratios are used.
        records: the service's requests in the interval.
        limit: of the endpoints' requests.
        pending: how many requests wait in Triton at its end, by model.
        seconds: length of the interval.
    """
    yield "==================== TRACER ======================"
    for name, models in ops.items():
        yield from op_lines(name, models, change, instances, phases, seconds)
    if records.latencies:
        yield from service_lines(records, seconds)
    yield f"Channel (server worker num[{limit.workers}]):"
    yield _queue("endpoint", "client", "endpoint", limit.waiting, limit.max_waiting)
    yield from queue_lines(ops, pending)


def op_lines(
    name: str,
    models: OpModels,
    change: Mapping[str, Counts],
    instances: Mapping[str, int],
    phases: Mapping[str, Mapping[str, float]],
    seconds: float,
) -> Iterator[str]:
    """The lines of one Op; none if it had no work."""
    parts = {
        action: [change.get(model, Counts()) for model in getattr(models, action)]
        for action in ("prep", "midp", "postp")
    }
    pictures = parts["prep"][0].requests
    if not pictures:
        return
    total = {action: _total(counts) for action, counts in parts.items()}
    everything = _total(total.values())
    infer: dict[str, float] = {
        action: counts.infer for action, counts in total.items() if parts[action]
    }
    for caller in (model for model in models.prep if model in CALLERS):
        own = change.get(caller, Counts()).infer
        infer |= caller_times(own, total["midp"], phases.get(caller))
    times = {"in": everything.queue, **infer, "out": everything.moving}
    yield f"Op({name}):"
    for action, nanoseconds in times.items():
        yield f"\t{action}[{nanoseconds / 1e6 / pictures} ms]"
    shares = [
        change[model].busy / 1e9 / seconds / instances.get(model, 1)
        for model in models.models
        if model in change
    ]
    # Work is counted at its end, so some of it can have begun before the interval.
    yield f"\tidle[{max(0.0, 1 - max(shares))}]"


def caller_times(own: int, called: Counts, phases: Mapping[str, float] | None) -> dict[str, float]:
    """How the time of a model that calls others divides into actions, in nanoseconds.

    Args:
        own: all of its time, including the calls.
        called: the work of the called models.
        phases: seconds in each of its phases, None if it does not count them.
    """
    if phases is not None and (everything := sum(phases.values())):
        return {action: own * phases[phase] / everything for action, phase in PHASES.items()}
    # Batches are read in parallel, so their sum can exceed the time that has passed.
    return {"prep": max(0, own - called.queue - called.infer - called.moving)}


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


def queue_lines(ops: Mapping[str, OpModels], pending: Mapping[str, int]) -> Iterator[str]:
    """The queue before each Op."""
    before = "endpoint"
    for name, models in ops.items():
        if any(model in pending for model in models.models):
            waiting = sum(pending.get(model, 0) for model in models.models)
            yield _queue(name, before, name, waiting, 0)
        before = name


def _queue(name: str, before: str, after: str, length: int, longest: int) -> str:
    return f"\t{name}(In: ['{before}'], Out: ['{after}']) size[{length}/{longest}]"
