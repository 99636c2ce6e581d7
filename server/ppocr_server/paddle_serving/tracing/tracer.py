"""Write the statistics block of config.yml's `dag.tracer` every so many seconds."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import urllib.request
from collections.abc import Mapping
from operator import sub
from typing import Any

import grpc
from tritonclient.grpc.service_pb2 import ModelConfigRequest, ModelStatisticsRequest

from ppocr_engine.config_pbtxt import instance_count
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import TracerSettings
from ppocr_server.paddle_serving.tracing.tracer_block import CALLERS, Counts, tracer_block

LOG = logging.getLogger(__name__)
METRICS_SECONDS = 2.0
_PENDING = re.compile(r'^nv_inference_pending_request_count\{.*?model="([^"]+)".*?\} (\S+)$', re.M)
_PHASE = re.compile(r'^ppocr_step_seconds_total\{model="([^"]+)",phase="([^"]+)"\} (\S+)$', re.M)
UNDIVIDED = "Triton's metrics have no phases of %s: its prep[] includes its postprocessing"


async def trace(settings: TracerSettings, triton: Any, service: PipelineService) -> None:
    """Write a block every `interval_s` seconds until cancelled.

    Args:
        settings: the interval, and which models make up an Op.
        triton: an asynchronous stub of Triton's gRPC service.
        service: its records are taken; they must not be None.
    """
    assert service.records is not None
    began, before = time.monotonic(), await counts_by_model(triton)
    instances: dict[str, int] = {}
    phases_before = phases_of(await metrics_text(settings))
    for model in CALLERS:
        if model in before and model not in phases_before:
            LOG.info(UNDIVIDED, model)
    while True:
        await asyncio.sleep(settings.interval_s)
        began, seconds = time.monotonic(), time.monotonic() - began
        now = await counts_by_model(triton)
        # After a restart Triton counts from zero and may have other instances.
        change = {
            name: Counts(*map(sub, now[name], before[name])) for name in now.keys() & before.keys()
        }
        if any(counts.requests < 0 for counts in change.values()):
            change, instances = now, {}
        before = now
        for name in now.keys() - instances.keys():
            instances[name] = await instances_of(triton, name)
        text = await metrics_text(settings)
        phases_now = phases_of(text)
        phases = {
            model: since(phases_before.get(model, {}), phases_now[model]) for model in phases_now
        }
        phases_before = phases_now
        models = settings.ops, change, instances, phases
        requests = service.records.take(), service.limit, pending_of(text)
        for line in tracer_block(*models, *requests, seconds):
            LOG.info(line)


async def counts_by_model(triton: Any) -> dict[str, Counts]:
    """What each model has done since Triton started; nothing while Triton does not answer."""
    try:
        statistics = await triton.ModelStatistics(ModelStatisticsRequest())
    except grpc.RpcError as error:
        LOG.info("no statistics from Triton: %s", error.details())
        return {}
    return {model.name: _counts(model) for model in statistics.model_stats}


def _counts(model: Any) -> Counts:
    done = model.inference_stats
    return Counts(
        requests=done.success.count,
        queue=done.queue.ns,
        infer=done.compute_infer.ns,
        moving=done.compute_input.ns + done.compute_output.ns,
        busy=sum(
            batch.compute_input.ns + batch.compute_infer.ns + batch.compute_output.ns
            for batch in model.batch_stats
        ),
    )


async def instances_of(triton: Any, model: str) -> int:
    """How many instances a model has; 1 while Triton does not answer."""
    try:
        answer = await triton.ModelConfig(ModelConfigRequest(name=model))
    except grpc.RpcError:
        return 1
    return instance_count(answer.config)


async def metrics_text(settings: TracerSettings) -> str:
    """The text of Triton's metrics; empty if they are not available."""
    if settings.metrics_url is None:
        return ""
    try:
        return await asyncio.to_thread(_get, settings.metrics_url)
    except OSError as error:
        LOG.info("no metrics from Triton: %s", error)
        return ""


def pending_of(text: str) -> dict[str, int]:
    """How many requests wait at each model."""
    return {model: int(float(count)) for model, count in _PENDING.findall(text)}


def phases_of(text: str) -> dict[str, dict[str, float]]:
    """Seconds in each phase, by model; only some models count them."""
    phases: dict[str, dict[str, float]] = {}
    for model, phase, seconds in _PHASE.findall(text):
        phases.setdefault(model, {})[phase] = float(seconds)
    return phases


def since(before: Mapping[str, float], now: Mapping[str, float]) -> Mapping[str, float]:
    """The seconds added to each phase, or all of `now` if none were added or Triton restarted.

    A model exports its phases up to a second late, so an interval can have work and no change.
    """
    added = {phase: seconds - before.get(phase, 0.0) for phase, seconds in now.items()}
    return added if min(added.values()) >= 0 < sum(added.values()) else now


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=METRICS_SECONDS) as answer:  # nosec B310 # the operator's
        return str(answer.read().decode())
