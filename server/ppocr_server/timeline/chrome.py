"""Traces as Chrome's trace-event JSON: a group of rows for each Op, and one for the requests.

The group of an Op begins with a graph of its waiting and computing requests, followed by a row for
each instance of its models. Triton does not say which instance ran a request. Executions of one
model that overlap are on different rows, so there are as many rows as instances busy at a time. The
row of a request shows its steps in order; batches that were recognised in parallel are below it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from ppocr_server.paddle_serving.settings import OpModels
from ppocr_server.timeline.traces import Trace

Event = dict[str, Any]
Span = tuple[int, int]  # nanoseconds
OTHER = "other models"
# Perfetto draws a row with the number of its group first, as the main thread of a process.
FIRST_ROW = 100
REQUESTS = "requests"


def chrome_events(traces: Sequence[Trace], ops: Mapping[str, OpModels]) -> Iterator[Event]:
    """Yield the events of a timeline that begins at 0.

    Args:
        traces: see `read_traces`.
        ops: the models of each Op; other models that computed something get a group of their own.
    """
    zero = min((trace.times["REQUEST_START"] for trace in traces), default=0)
    for event in _events(traces, ops):  # nanoseconds of the server to microseconds
        if "ts" in event:
            event["ts"] = (event["ts"] - zero) / 1e3
        if "dur" in event:
            event["dur"] /= 1e3
        yield event


def _events(traces: Sequence[Trace], ops: Mapping[str, OpModels]) -> Iterator[Event]:
    if not traces:
        return
    groups: dict[str, list[str]] = {f"Op {name}": list(op.models) for name, op in ops.items()}
    known = {model for models in groups.values() for model in models}
    computed = [trace for trace in traces if trace.computed]
    groups[OTHER] = sorted({trace.model for trace in computed} - known)
    for group, (name, models) in enumerate(groups.items(), start=1):
        members = [trace for trace in computed if trace.model in models]
        if members:
            yield from _heading("process", name, pid=group)
            yield from _op_graph(group, name, members)
            yield from _instance_rows(group, models, members)
    yield from _heading("process", REQUESTS, pid=len(groups) + 1)
    yield from _request_rows(len(groups) + 1, traces)


def _heading(kind: str, name: str, **place: int) -> Iterator[Event]:
    """The name of a group ("process") or of a row ("thread"), ordered by the last of `place`."""
    *_, number = place.values()
    yield {"ph": "M", **place, "name": f"{kind}_name", "args": {"name": name}}
    yield {"ph": "M", **place, "name": f"{kind}_sort_index", "args": {"sort_index": number}}


def _slice(row: tuple[int, int], name: str, begin: int, end: int, **args: Any) -> Event:
    """A named stretch of a row."""
    span = {"ts": begin, "dur": max(0, end - begin)}
    return {"ph": "X", "pid": row[0], "tid": row[1], "name": name, **span, "args": args}


def _slices(row: tuple[int, int], names: Sequence[str], *moments: int | None) -> Iterator[Event]:
    """The stretches between moments, if Triton recorded all of them and in this order."""
    recorded = [moment for moment in moments if moment is not None]
    if recorded == sorted(recorded) and len(recorded) == len(moments):
        for name, (begin, end) in zip(names, pairwise(recorded), strict=True):
            if name:
                yield _slice(row, name, begin, end)


def _op_graph(group: int, name: str, traces: Sequence[Trace]) -> Iterator[Event]:
    """How many requests wait at the Op's models, and how many are computed."""
    changes: list[tuple[int, int, int]] = []
    for trace in traces:
        times = trace.times
        changes += (
            (times.get("QUEUE_START", times["REQUEST_START"]), 1, 0),
            (times["COMPUTE_START"], -1, 1),
            (times["COMPUTE_END"], 0, -1),
        )
    count = {"waiting": 0, "computing": 0}
    for moment, together in groupby(sorted(changes), key=lambda change: change[0]):
        for _, waiting, computing in together:
            count["waiting"] += waiting
            count["computing"] += computing
        yield {"ph": "C", "pid": group, "name": name, "ts": moment, "args": {**count}}


def _instance_rows(group: int, models: Sequence[str], traces: Sequence[Trace]) -> Iterator[Event]:
    first = FIRST_ROW
    for model in models:
        # Requests that were computed as one batch have one beginning.
        batches: dict[int, list[Trace]] = defaultdict(list)
        for trace in traces:
            if trace.model == model:
                batches[trace.times["COMPUTE_START"]].append(trace)
        spans = [
            (begin, max(trace.times["COMPUTE_END"] for trace in batch))
            for begin, batch in batches.items()
        ]
        lanes = lanes_of(spans)
        for lane in range(max(lanes, default=-1) + 1):
            yield from _heading("thread", f"{model} #{lane + 1}", pid=group, tid=first + lane)
        for lane, (begin, end), batch in zip(lanes, spans, batches.values(), strict=True):
            ids = [_name(trace) for trace in batch]
            row = (group, first + lane)
            title = ids[0] if len(ids) == 1 else f"{len(ids)} requests"
            yield _slice(row, title, begin, end, model=model, requests=ids)
            times = batch[0].times
            ready, done = times.get("COMPUTE_INPUT_END"), times.get("COMPUTE_OUTPUT_START")
            yield from _slices(row, ("input", "infer", "output"), begin, ready, done, end)
        first += max(lanes, default=-1) + 1


def _request_rows(group: int, traces: Sequence[Trace]) -> Iterator[Event]:
    ids = {trace.id for trace in traces}
    children: dict[int | None, list[Trace]] = defaultdict(list)
    for trace in sorted(traces, key=lambda trace: trace.times["REQUEST_START"]):
        children[trace.parent if trace.parent in ids else None].append(trace)
    tid = FIRST_ROW
    for root in children[None]:
        yield from _heading("thread", _name(root), pid=group, tid=tid)
        yield from _part((group, tid), root, _span(root))
        below = 0
        for step, span in _steps(children[root.id], root.times["REQUEST_END"]):
            yield from _part((group, tid), step, span)
            calls = children[step.id]
            lanes = lanes_of([_span(call) for call in calls])
            for call, lane in zip(calls, lanes, strict=True):
                # A call can be recorded as ended a moment after its caller.
                begin, end = _span(call)
                yield from _part((group, tid + lane), call, (begin, min(end, span[1])))
            below = max(below, *lanes, 0)
        for lane in range(1, below + 1):
            name = f"{_name(root)}, at the same time"
            yield from _heading("thread", name, pid=group, tid=tid + lane)
        tid += below + 1


def _span(trace: Trace) -> Span:
    return trace.times["REQUEST_START"], trace.times["REQUEST_END"]


def _steps(traces: Sequence[Trace], end: int) -> Iterator[tuple[Trace, Span]]:
    """The steps of a request in order, with beginning and end.

    A step passes its tensors on before its end is recorded, so it ends when the next one begins.
    """
    following = [*(trace.times["REQUEST_START"] for trace in traces[1:]), end]
    for trace, latest in zip(traces, following, strict=False):
        begin, recorded = _span(trace)
        yield trace, (begin, min(recorded, latest))


def _part(row: tuple[int, int], trace: Trace, span: Span) -> Iterator[Event]:
    """One model's part of a request, with the time it waited for an instance."""
    yield _slice(row, trace.model, *span)
    waited = trace.times.get("QUEUE_START"), trace.times.get("COMPUTE_START")
    yield from _slices(row, ("", "queue", ""), span[0], *waited, span[1])


def _name(trace: Trace) -> str:
    return f"request {trace.request_id}" if trace.request_id else f"trace {trace.id}"


def lanes_of(spans: Sequence[Span]) -> list[int]:
    """Return a lane from 0 for each span, the lowest that is free when it begins."""
    lanes = [0] * len(spans)
    ends: list[int] = []  # of the last span in each lane
    for index in sorted(range(len(spans)), key=lambda index: spans[index]):
        begin, end = spans[index]
        lane = next((lane for lane, until in enumerate(ends) if until <= begin), len(ends))
        ends[lane : lane + 1] = [end]
        lanes[index] = lane
    return lanes
