"""What Triton's metrics count: where the time of the pictures went, step by step, and its GPUs."""

from __future__ import annotations

import contextlib
import re
import urllib.request
from collections import Counter
from collections.abc import Mapping
from statistics import fmean

from ppocr_bench.errors import BenchError

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
