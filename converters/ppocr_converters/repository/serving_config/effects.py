"""What the keys of one Op became in this very configuration, and what to know about them."""

from __future__ import annotations

from collections.abc import Mapping

from ppocr_converters.repository.deployment_plan import ModelPlan
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import all_keys, pattern_of
from ppocr_converters.repository.serving_config.ops import DEVICE_NAMES, TENSORRT, Op
from ppocr_engine.spec import GRAPH_AS_WRITTEN, EngineSpec

IDLE_SUBGRAPHS = "without effect: only TensorRT (device_type 2) has subgraphs"


def effects_of(op: Op, models: Mapping[str, ModelPlan]) -> dict[str, str]:
    """What the Op's keys became in the plans of its models, in numbers, by path."""
    plan = models[op.kind]
    engine = plan.engine
    where = ", ".join(
        f"{group.count} on {'GPU ' + str(group.gpus[0]) if group.gpus else 'the CPU'}"
        for group in plan.instances
    )
    optimised = plan.graph_level != GRAPH_AS_WRITTEN
    precision = "fp32: the network as it is"
    if plan.file_precision != "fp32":
        precision = (
            f"the network is converted to {plan.file_precision} and proven within stated bounds; "
            "the engine computes in the types of the file"
        )
    elif engine is not None and engine.precision != "fp32":
        precision = f"OpenVINO computes in {engine.precision}, proven within stated bounds"
    memory = "ONNX Runtime's memory arena and pattern"
    if engine is not None and engine.backend == "openvino":
        memory = "nothing: OpenVINO has no such switch"
    elif not op["mem_optim"]:
        memory = "no memory arena and no pattern: enable_mem_arena and enable_mem_pattern are 0"
    effects = {
        "concurrency": f"instance_group.count {op.instances} of {', '.join(models)}",
        "thread_num": f"threads of each instance of {op.kind}: {plan.threads}",
        "device_type": f"{DEVICE_NAMES[op.device]} for {op.kind}"
        + (f", by {engine}" if engine else ""),
        "devices": f"{op.kind}: {where}",
        "model_config": f"the network {op.kind}",
        "precision": precision,
        "mem_optim": memory,
        "ir_optim": "all graph optimisations" if optimised else "no graph optimisation (level 2)",
        **_queue_effects(op, models),
    }
    if op.device != TENSORRT:
        effects["min_subgraph_size"] = IDLE_SUBGRAPHS
    return {op.path(name): text for name, text in effects.items()}


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


def warnings_of(op: Op, engine: EngineSpec | None) -> dict[str, str]:
    """Keys that contradict others so that they are without effect, and limits of promises."""
    found = {}
    if engine is not None and engine.backend == "openvino" and op["batch_size"] > 1:
        found["batch_size"] = (
            "without effect: Triton's OpenVINO backend runs each request by itself"
        )
    if not op.cards and op["devices"].strip():
        found["devices"] = f"without effect: device_type {op.device} is {DEVICE_NAMES[op.device]}"
    if op["use_calib"] and op["precision"] != "int8":
        found["use_calib"] = "without effect: calibration is for precision int8"
    if op["precision"] == "int8" and not op["use_calib"]:
        found["use_calib"] = "int8 is always calibrated, on rendered pages or --images"
    subgraphs = all_keys()[pattern_of(op.path("min_subgraph_size"))]
    if op["min_subgraph_size"] != subgraphs.default and op.device != TENSORRT:
        found["min_subgraph_size"] = IDLE_SUBGRAPHS
    if op["batch_size"] > 1 and op["auto_batching_timeout"] < 1:
        found["auto_batching_timeout"] = (
            "a batch does not wait for ever to fill: it goes as soon as an instance is free"
        )
    if op["batch_size"] == 1 and op["auto_batching_timeout"] > 0:
        found["auto_batching_timeout"] = "without effect: batch_size is 1"
    return {op.path(name): text for name, text in found.items()}
