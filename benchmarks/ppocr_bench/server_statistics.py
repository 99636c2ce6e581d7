"""What Triton itself counts: where the time of the pictures went, step by step, and its GPUs."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from ppocr_bench.errors import BenchError
from ppocr_client.errors import OcrError
from ppocr_client.transport.base import Query, connect, parse_url

PIPELINE = "ocr"
TIMEOUT = 60.0
#: Of a model, since the server started: requests answered and failed, elements and batches
#: computed, and nanoseconds waiting and working.
Totals = Mapping[str, int]


class Server:
    """The statistics and configurations of a server; both raise BenchError when it is gone."""

    def __init__(self, url: str) -> None:
        """Connect to grpc://HOST:PORT or http://HOST:PORT."""
        self._url, self._transport = url, connect(parse_url(url))
        self.close = self._transport.close

    def totals(self) -> dict[str, Totals]:
        """The sums of every model by its name."""
        return {one["name"]: read_totals(one) for one in self._ask("statistics")["model_stats"]}

    def models(self) -> dict[str, dict[str, Any]]:
        """How every model is served: engine, instances, and its parameters."""
        return {name: describe_model(self._ask("config", name)) for name in self.totals()}

    def _ask(self, what: Any, model: str = "") -> Any:
        try:
            return self._transport.send(Query(what, model), TIMEOUT)
        except OcrError as error:
            raise BenchError(f"{self._url} gives no statistics: {error}") from error


def read_totals(model: Mapping[str, Any]) -> Totals:
    """One entry of Triton's statistics; gRPC writes numbers as strings and leaves zeros out."""
    parts = model.get("inference_stats", {})

    def read(field: str, *names: str) -> int:
        return sum(int(parts.get(name, {}).get(field, 0)) for name in names)

    return {
        "requests": read("count", "success"),
        "failures": read("count", "fail"),
        "inferences": int(model.get("inference_count", 0)),
        "executions": int(model.get("execution_count", 0)),
        "queue": read("ns", "queue"),
        "work": read("ns", "compute_input", "compute_infer", "compute_output"),
    }


def describe_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """What matters for speed in a model's configuration."""
    stored = config.get("parameters", {}).items()
    return {
        "engine": config.get("backend") or config.get("platform", ""),
        "instances": sum(int(group.get("count", 1)) for group in config.get("instance_group", [])),
        "max_batch_size": int(config.get("max_batch_size", 0)),
        "parameters": {name: value["string_value"] for name, value in stored},
    }


def steps_between(
    before: Mapping[str, Totals], after: Mapping[str, Totals]
) -> dict[str, dict[str, float]]:
    """What each model did between two readings, for a picture that the pipeline read.

    Of each model that worked: `calls` (requests a picture; `rec` has one for each batch of lines),
    `batch` (elements computed together), `queue_ms` (waiting for an instance, all calls together)
    and `work_ms`. The pipeline itself is left out: its time is that of its steps.
    """
    pictures = max(1, after[PIPELINE]["requests"] - before[PIPELINE]["requests"])
    steps = {}
    for name, now in after.items():
        more = {key: now[key] - before[name][key] for key in now}
        if name != PIPELINE and more["requests"]:
            steps[name] = {
                "calls": more["requests"] / pictures,
                "batch": more["inferences"] / max(1, more["executions"]),
                "queue_ms": more["queue"] / pictures / 1e6,
                "work_ms": more["work"] / pictures / 1e6,
            }
    return steps


def gpu_metrics(text: str) -> dict[str, float]:
    """Of the GPUs in Triton's metrics: number, mean utilisation, memory in use; {} without one."""
    utilisation, used = (
        [float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name)]
        for name in ("nv_gpu_utilization{", "nv_gpu_memory_used_bytes{")
    )
    if not utilisation:
        return {}
    mib, percent = sum(used) / 2**20, 100 * fmean(utilisation)
    return {"gpus": len(utilisation), "gpu_percent": percent, "gpu_memory_mib": mib}


def read_gpus(url: str) -> dict[str, float]:
    """`gpu_metrics` of a server's metrics address; BenchError where nothing answers."""
    try:
        opened = urllib.request.urlopen(url, timeout=10)  # nosec B310 # the operator's address
        with contextlib.closing(opened) as answer:
            return gpu_metrics(answer.read().decode())
    except OSError as error:
        raise BenchError(f"no metrics at {url}: {error}; see --metrics-url") from error
