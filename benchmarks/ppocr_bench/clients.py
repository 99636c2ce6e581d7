"""Clients under which a server is loaded, in more processes than one where cores are left for them.

Python runs one thread of a process at a time: many clients of a fast server need several.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import re
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, wait
from statistics import fmean
from typing import Any, NamedTuple

from ppocr_bench.load import closed_loop
from ppocr_bench.machine import cpu_seconds, cpu_since, cpu_snapshot, memory_mib, merge
from ppocr_bench.pictures import Picture
from ppocr_bench.record import BenchError, Run
from ppocr_bench.target import Serving, sender, told
from ppocr_engine.machine import available_cores

#: Clients that one process can keep busy, and how many processes there may be.
CLIENTS_A_PROCESS, PROCESSES = 8, 4
LOOK_SECONDS = 1.0  # between two looks at memory and GPUs
PIPELINE = "ocr"
_LINE = re.compile(r"^(nv_\w+)\{(.*)\} (\S+)$", re.M)
_MODEL = re.compile(r'model="([^"]+)"')
#: What is summed under which name: elements and batches computed; microseconds of all calls.
_COUNTERS = {
    "nv_inference_request_success": "requests",
    "nv_inference_request_failure": "failures",
    "nv_inference_count": "inferences",
    "nv_inference_exec_count": "executions",
    "nv_inference_queue_duration_us": "queue",
    "nv_inference_compute_input_duration_us": "work",
    "nv_inference_compute_infer_duration_us": "work",
    "nv_inference_compute_output_duration_us": "work",
}
#: By model, since the server started.
Totals = Mapping[str, Counter[str]]


class Turn(NamedTuple):
    """A load, what Triton counted meanwhile, its seconds, and figures of processes and GPUs."""

    run: Run
    counted: Totals
    seconds: float
    held: Mapping[str, float]


class Load(NamedTuple):
    """What is sent to which address."""

    url: str
    pictures: Sequence[Picture]
    options: Mapping[str, Any] = {}


def client_processes() -> Executor:
    """Where clients run: in processes, or in this one on a machine of few cores."""
    most = min(PROCESSES, available_cores() // 2)
    if most < 2:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(most, multiprocessing.get_context("spawn"))


def take(found: Serving, load: Load, clients: int, seconds: float, pool: Executor) -> Turn:
    """One turn of a load on a server.

    Raises:
        BenchError: a process is gone, or a port before Triton gave no result.
        OcrError: nobody answered. Errors that the server answered are statuses of the run.
    """

    def counted() -> Totals:
        return totals(read_metrics(found.metrics_url)) if found.metrics_url else {}

    front, seen = found.fronts.get(load.url, 0), [look(found)]
    before, begin, cpu = counted(), time.monotonic(), cpu_snapshot(found.pid)
    front_used = -cpu_seconds(front) if front else 0.0
    parts = [pool.submit(ask, load, share, seconds) for share in shares_of(clients, pool)]
    try:
        while wait(parts, LOOK_SECONDS).not_done:
            seen.append(look(found))
    finally:
        wait(parts)
    done = [part.result() for part in parts]
    front_used += cpu_seconds(front) if front else 0.0
    run = joined([run for run, _ in done], cpu_since(found.pid, cpu))
    whole = max(answer.answered for answer in run.answers) - begin
    sent, spent = max(1, len(run.answers)), sum(spent for _, spent in done)
    own = {"client_cpu_ms": spent * 1e3 / sent}
    own |= {"front_cpu_ms": front_used * 1e3 / sent} if front else {}
    return Turn(run, between(before, counted()), whole, own | merge(seen))


def look(found: Serving) -> dict[str, float]:
    """What is held now: memory, and of GPUs the number, their utilisation and memory."""
    memory = {} if found.pid is None else {"memory_mib": memory_mib(found.pid)}
    return memory | gpus(read_metrics(found.metrics_url) if found.metrics_url else "")


def shares_of(clients: int, pool: Executor) -> list[int]:
    """How many clients each process runs."""
    most = 1 if isinstance(pool, ThreadPoolExecutor) else min(PROCESSES, available_cores() // 2)
    count = max(1, min(most, clients // CLIENTS_A_PROCESS))
    return [clients // count + (number < clients % count) for number in range(count)]


def ask(load: Load, clients: int, seconds: float) -> tuple[Run, float]:
    """Clients in one process, and the processor seconds that they took."""
    spent = own_seconds()
    with sender(load.url, load.pictures, load.options) as send:
        run = closed_loop(told(send), clients, seconds=seconds, items=len(load.pictures))
    return run, own_seconds() - spent


def own_seconds() -> float:
    """Processor seconds of this process, without a main thread that only looks at the server."""
    looker, used = threading.main_thread(), time.process_time()
    if looker is threading.current_thread():
        return used
    return used - time.clock_gettime(time.pthread_getcpuclockid(looker.ident or 0))


def joined(runs: Sequence[Run], cpu: Mapping[str, float]) -> Run:
    """Loads of several processes as one: what counts is the time in which all of them asked."""
    begins, ends = [run.begin for run in runs], [run.end for run in runs]
    window = max(begins), min(ends)
    if window[0] >= window[1]:  # A slow server: one process has its answers before another.
        window = min(begins), max(ends)
    return Run(*window, [answer for run in runs for answer in run.answers], cpu)


def read_metrics(url: str) -> str:
    """The text at a metrics address; BenchError where nothing answers."""
    try:
        opened = urllib.request.urlopen(url, timeout=10)  # nosec B310 # the operator's address
        with contextlib.closing(opened) as answer:
            return str(answer.read().decode())
    except (OSError, ValueError) as error:
        raise BenchError(f"no metrics at {url}: {error}; see --metrics-url") from error


def totals(text: str) -> Totals:
    """The counters of every model, all its versions together."""
    found: dict[str, Counter[str]] = {}
    for name, labels, value in _LINE.findall(text):
        if name in _COUNTERS and (model := _MODEL.search(labels)):
            found.setdefault(model[1], Counter())[_COUNTERS[name]] += int(float(value))
    return found


def between(before: Totals, after: Totals) -> Totals:
    """What was counted from one reading to another."""
    return {name: now - before.get(name, Counter()) for name, now in after.items()}


def steps(counted: Totals) -> dict[str, dict[str, float]]:
    """What each model did for a picture that the pipeline read.

    Of each model that worked: `calls` (requests a picture; `rec` has one for each batch of lines),
    `batch` (elements computed together), `queue_ms` (waiting for an instance, all calls together)
    and `work_ms`. The pipeline itself is left out: its time is that of its steps.
    """
    pictures = max(1, counted[PIPELINE]["requests"])
    return {
        name: {
            "calls": one["requests"] / pictures,
            "batch": one["inferences"] / max(1, one["executions"]),
            "queue_ms": one["queue"] / pictures / 1e3,
            "work_ms": one["work"] / pictures / 1e3,
        }
        for name, one in counted.items()
        if name != PIPELINE and one["requests"]
    }


def gpus(text: str) -> dict[str, float]:
    """Number of the GPUs, mean utilisation, memory in use; {} without one."""
    lines = _LINE.findall(text)
    used = [float(value) for name, _, value in lines if name == "nv_gpu_utilization"]
    memory = sum(float(value) for name, _, value in lines if name == "nv_gpu_memory_used_bytes")
    if not used:
        return {}
    return {"gpus": len(used), "gpu_percent": 100 * fmean(used), "gpu_memory_mib": memory / 2**20}
