"""What the keys of one Op became in this very configuration, for `explain`."""

from __future__ import annotations

from collections.abc import Mapping

from ppocr_converters.repository.deployment_plan import ModelPlan
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.ops import (
    DEVICE_NAMES,
    IDLE_SUBGRAPHS,
    TENSORRT,
    Op,
)
from ppocr_engine.spec import GRAPH_AS_WRITTEN


def effects_of(op: Op, models: Mapping[str, ModelPlan]) -> dict[str, str]:
    """What the Op's keys became in the plans of its models, in numbers, by path."""
    plan = models[op.kind]
    where = ", ".join(
        f"{group.count} on {'GPU ' + str(group.gpus[0]) if group.gpus else 'the CPU'}"
        for group in plan.instances
    )
    optimised = plan.graph_level != GRAPH_AS_WRITTEN
    effects = {
        "concurrency": f"instance_group.count {op.instances} of {', '.join(models)}",
        "thread_num": f"threads of each instance of {op.kind}: {plan.threads}",
        "device_type": f"{DEVICE_NAMES[op.device]} for {op.kind}"
        + (f", by {plan.engine}" if plan.engine else ""),
        "devices": f"{op.kind}: {where}",
        "model_config": f"the network {op.kind}",
        "precision": _precision(op, plan),
        "mem_optim": _memory(op, plan),
        "ir_optim": "all graph optimisations" if optimised else "no graph optimisation (level 2)",
        **_queue_effects(op, models),
    }
    if op.device != TENSORRT:
        effects["min_subgraph_size"] = IDLE_SUBGRAPHS
    return {op.path(name): text for name, text in effects.items()}


def _precision(op: Op, plan: ModelPlan) -> str:
    """What computes in which precision, and whether that is proven."""
    if op["precision"] in ("fp16", "int8"):
        return (
            f"the network is converted to {op['precision']} and proven within stated bounds; the "
            "engine computes in the types of the file"
        )
    if plan.engine is not None and plan.engine.precision != "fp32":
        return f"OpenVINO computes in {plan.engine.precision}, proven within stated bounds"
    return "fp32: the network as it is"


def _memory(op: Op, plan: ModelPlan) -> str:
    if plan.engine is not None and plan.engine.backend == "openvino":
        return "nothing: OpenVINO has no such switch"
    if op["mem_optim"]:
        return "ONNX Runtime's memory arena and pattern"
    return "no memory arena and no pattern: enable_mem_arena and enable_mem_pattern are 0"


def _queue_effects(op: Op, models: Mapping[str, ModelPlan]) -> dict[str, str]:
    """How requests are merged, and how long they wait."""
    effects = {
        "timeout": "off",
        "batch_size": "no merging of requests",
        "auto_batching_timeout": "no waiting: a batch goes as soon as an instance is free",
    }
    batching, merged = models[op.kind].batching, op["batch_size"]
    if batching is None:
        return effects
    if merged > 1 and batching.preferred_batch_size:
        rows = batching.preferred_batch_size[0]
        effects["batch_size"] = f"preferred_batch_size {rows} of {op.kind}"
        if rows != merged:
            effects["batch_size"] += f": {merged} times {rows // merged} lines, its rec_batch_size"
    if delay := batching.max_queue_delay_microseconds:
        effects["auto_batching_timeout"] = f"max_queue_delay_microseconds {delay} of {op.kind}"
    if timeout := batching.default_queue_policy.default_timeout_microseconds:
        effects["timeout"] = (
            f"default_timeout_microseconds {timeout} in the queues of "
            f"{', '.join(models)}, late requests rejected; {_deadline(op.document)}"
        )
    return effects


def _deadline(document: Document) -> str:
    """What the time limits of all Ops are together; one without a limit leaves no sum."""
    limits = {name: document[f"op.{name}.timeout"] for name in document.ops}
    if unlimited := [name for name, limit in limits.items() if limit < 1]:
        return f"no deadline at the endpoints, as there is no timeout of {', '.join(unlimited)}"
    return f"the sum over all Ops, {sum(limits.values())} ms, is the deadline at the endpoints"
