"""Traces as Chrome's trace-event JSON: a group of rows for each Op, and one for the requests.

The group of an Op begins with a graph of its waiting and computing requests, followed by a row for
each instance of its models. Triton does not say which instance ran a request. Executions of one
model that overlap are on different rows, so there are as many rows as instances busy at a time. The
row of a request shows its steps in order; batches that were recognised in parallel are below it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ppocr_server.paddle_serving.settings import OpModels
from ppocr_server.timeline.lanes import lanes_of
from ppocr_server.timeline.traces import Trace

Event = dict[str, Any]
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
    if not traces:
        return
    clock = _Clock(min(trace.times["REQUEST_START"] for trace in traces))
    groups: dict[str, list[str]] = {f"Op {name}": list(op.models) for name, op in ops.items()}
    known = {model for models in groups.values() for model in models}
    computed = [trace for trace in traces if trace.computed]
    groups[OTHER] = sorted({trace.model for trace in computed} - known)
    for group, (name, models) in enumerate(groups.items(), start=1):
        members = [trace for trace in computed if trace.model in models]
        if members:
            yield from _group(group, name)
            yield from _op_graph(clock, group, name, members)
            yield from _instance_rows(clock, group, models, members)
    yield from _group(len(groups) + 1, REQUESTS)
    yield from _request_rows(clock, len(groups) + 1, traces)


@dataclass(frozen=True)
class _Clock:
    """Nanoseconds of the server become microseconds of the timeline."""

    zero: int

    def at(self, nanoseconds: int) -> float:
        return (nanoseconds - self.zero) / 1e3

    def slice(self, row: tuple[int, int], name: str, begin: int, end: int, **args: Any) -> Event:
        """A named stretch of a row."""
        group, tid = row
        span = {"ts": self.at(begin), "dur": max(0, end - begin) / 1e3}
        return {"ph": "X", "pid": group, "tid": tid, "name": name, **span, "args": args}


def _group(group: int, name: str) -> Iterator[Event]:
    yield {"ph": "M", "pid": group, "name": "process_name", "args": {"name": name}}
    yield {"ph": "M", "pid": group, "name": "process_sort_index", "args": {"sort_index": group}}


def _row(group: int, tid: int, name: str) -> Iterator[Event]:
    place = {"ph": "M", "pid": group, "tid": tid}
    yield {**place, "name": "thread_name", "args": {"name": name}}
    yield {**place, "name": "thread_sort_index", "args": {"sort_index": tid}}


def _op_graph(clock: _Clock, group: int, name: str, traces: Sequence[Trace]) -> Iterator[Event]:
    """How many requests wait at the Op's models, and how many are computed."""
    steps: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for trace in traces:
        begin = trace.times.get("QUEUE_START", trace.times["REQUEST_START"])
        for nanoseconds, waiting, computing in (
            (begin, 1, 0),
            (trace.times["COMPUTE_START"], -1, 1),
            (trace.times["COMPUTE_END"], 0, -1),
        ):
            steps[nanoseconds][0] += waiting
            steps[nanoseconds][1] += computing
    waiting = computing = 0
    for nanoseconds in sorted(steps):
        waiting, computing = waiting + steps[nanoseconds][0], computing + steps[nanoseconds][1]
        yield {
            "ph": "C",
            "pid": group,
            "name": name,
            "ts": clock.at(nanoseconds),
            "args": {"waiting": waiting, "computing": computing},
        }


def _instance_rows(
    clock: _Clock, group: int, models: Sequence[str], traces: Sequence[Trace]
) -> Iterator[Event]:
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
            yield from _row(group, first + lane, f"{model} #{lane + 1}")
        for lane, (begin, end), batch in zip(lanes, spans, batches.values(), strict=True):
            ids = [_name(trace) for trace in batch]
            row = (group, first + lane)
            title = ids[0] if len(ids) == 1 else f"{len(ids)} requests"
            yield clock.slice(row, title, begin, end, model=model, requests=ids)
            yield from _phases(clock, row, batch[0], end)
        first += max(lanes, default=-1) + 1


def _phases(clock: _Clock, row: tuple[int, int], trace: Trace, end: int) -> Iterator[Event]:
    """The phases of a batch: input, infer, output."""
    times = trace.times
    ready, done = times.get("COMPUTE_INPUT_END"), times.get("COMPUTE_OUTPUT_START")
    if ready is not None and done is not None and times["COMPUTE_START"] <= ready <= done <= end:
        yield clock.slice(row, "input", times["COMPUTE_START"], ready)
        yield clock.slice(row, "infer", ready, done)
        yield clock.slice(row, "output", done, end)


def _request_rows(clock: _Clock, group: int, traces: Sequence[Trace]) -> Iterator[Event]:
    by_id = {trace.id for trace in traces}
    children: dict[int, list[Trace]] = defaultdict(list)
    roots = []
    for trace in sorted(traces, key=lambda trace: trace.times["REQUEST_START"]):
        if trace.parent in by_id:
            children[trace.parent].append(trace)
        else:
            roots.append(trace)
    tid = FIRST_ROW - 1
    for root in roots:
        tid += 1
        yield from _row(group, tid, _name(root))
        whole = root.times["REQUEST_START"], root.times["REQUEST_END"]
        yield from _part(clock, (group, tid), root, whole)
        spans = _spans(children[root.id], whole[1])
        below = 0
        for child, span in zip(children[root.id], spans, strict=True):
            yield from _part(clock, (group, tid), child, span)
            calls = children[child.id]
            lanes = lanes_of([(c.times["REQUEST_START"], c.times["REQUEST_END"]) for c in calls])
            for call, lane in zip(calls, lanes, strict=True):
                # A call can be recorded as ended a moment after its caller.
                end = min(call.times["REQUEST_END"], span[1])
                span_of_call = call.times["REQUEST_START"], end
                yield from _part(clock, (group, tid + lane), call, span_of_call)
            below = max(below, *lanes, 0)
        for lane in range(1, below + 1):
            yield from _row(group, tid + lane, f"{_name(root)}, at the same time")
        tid += below


def _spans(traces: Sequence[Trace], end: int) -> list[tuple[int, int]]:
    """Beginning and end of the steps of a request, in order.

    A step passes its tensors on before its end is recorded, so it ends when the next one begins.
    """
    begins = [trace.times["REQUEST_START"] for trace in traces]
    ends = [*begins[1:], end][: len(begins)]
    return [
        (begin, min(trace.times["REQUEST_END"], following))
        for trace, begin, following in zip(traces, begins, ends, strict=True)
    ]


def _part(
    clock: _Clock, row: tuple[int, int], trace: Trace, span: tuple[int, int]
) -> Iterator[Event]:
    """One model's part of a request, with the time it waited for an instance."""
    yield clock.slice(row, trace.model, *span)
    begin, end = trace.times.get("QUEUE_START"), trace.times.get("COMPUTE_START")
    if begin is not None and end is not None and span[0] <= begin <= end <= span[1]:
        yield clock.slice(row, "queue", begin, end)


def _name(trace: Trace) -> str:
    return f"request {trace.request_id}" if trace.request_id else f"trace {trace.id}"
