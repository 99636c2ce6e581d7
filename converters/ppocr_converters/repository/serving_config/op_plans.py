"""One Op of config.yml becomes the plans of its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tritonclient.grpc.model_config_pb2 import ModelDynamicBatching, ModelInstanceGroup

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan, device_of
from ppocr_converters.repository.profiles import load_profile, models_of_op
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.ops import ARM, CPU, CUDA, TENSORRT, Op
from ppocr_engine.spec import GRAPH_AS_WRITTEN, ONNXRUNTIME, OPENVINO_BF16, Accelerator, EngineSpec

#: The model of each Op that its requests come to first: the queue before the Op.
ENTRANCE: dict[Kind, str] = {"det": "det_preprocess", "rec": "recognize", "cls": "cls"}
#: The profile of each device.
PROFILES = {CPU: "cpu", CUDA: "gpu", TENSORRT: "tensorrt", ARM: "cpu"}


def plan_op(op: Op) -> dict[str, ModelPlan]:
    """The plans of an Op's models; the network among them is called like the kind of Op.

    Raises:
        ConfigError: a number is larger than Triton's configuration can hold, or see `_engine`.
    """
    try:
        models = {
            name: ModelPlan(_on_cpu(op.instances), _batching(op, name))
            for name in models_of_op(op.kind)
        }
        models[op.kind] = _network_plan(op, models[op.kind].batching)
    except ValueError as error:  # of protobuf
        raise ConfigError(
            f"op.{op.name}: worker_num times concurrency, or batch_size times the lines of a call, "
            f"is more than Triton's configuration can hold ({error}); lower them"
        ) from error
    return models


def _network_plan(op: Op, batching: Any) -> ModelPlan:
    """The plan of an Op's network, which alone runs on GPUs and is batched."""
    engine = _engine(op)
    if batching is not None and engine is not None and engine.backend == "openvino":
        for field in ("preferred_batch_size", "max_queue_delay_microseconds"):
            batching.ClearField(field)  # it merges nothing
    count = _of_network(op, "instances", op.instances)
    # Of ONNX Runtime 1 is the least; with 0 Paddle hands over every subgraph, too.
    subgraphs = {"trt_min_subgraph_size": str(max(1, op["min_subgraph_size"]))}
    accelerator = Accelerator("gpu", "tensorrt", subgraphs)
    return ModelPlan(
        round_robin(count, op.cards) if op.cards else _on_cpu(count),
        batching,
        max_batch_size=max(batching.preferred_batch_size, default=0) if batching else 0,
        engine=engine,
        threads=_of_network(op, "threads", op["thread_num"]),
        graph_level=_graph_level(op),
        accelerators=(accelerator,) if op.device == TENSORRT else (),
        parameters={} if op["mem_optim"] else {"enable_mem_arena": "0", "enable_mem_pattern": "0"},
    )


def _on_cpu(count: int) -> tuple[Any, ...]:
    return (ModelInstanceGroup(count=count, kind="KIND_CPU"),)


def round_robin(count: int, cards: Sequence[int]) -> tuple[Any, ...]:
    """Instance i runs on card i mod n, as in Paddle Serving: 7 on 0, 1, 2 are 3, 2 and 2.

    Args:
        count: instances in all, at least 1.
        cards: numbers of the GPUs; one that is named twice gets twice as many.

    Returns:
        A group for each card that gets any, in the order of the cards.
    """
    each, more = divmod(count, len(cards))
    shares: Counter[int] = Counter()
    for index, card in enumerate(cards[:count]):
        shares[card] += each + (index < more)
    return tuple(
        ModelInstanceGroup(count=share, kind="KIND_GPU", gpus=[card])
        for card, share in shares.items()
    )


def _batching(op: Op, model: str) -> Any:
    """The queue of a model, and for a network how requests are merged; None for no queue.

    The longest queue stands before the Op, not inside it: one picture makes many calls of `rec`,
    which must not be refused because they wait for each other.
    """
    queue = op.document["dag.channel_size"] if model == ENTRANCE[op.kind] else 0
    timeout = max(0, op["timeout"]) * 1000
    batching, merged = ModelDynamicBatching(), op["batch_size"]
    if queue or timeout:
        policy = batching.default_queue_policy  # its timeout_action is REJECT unless set
        policy.max_queue_size, policy.default_timeout_microseconds = queue, timeout
    if model != op.kind:
        return batching if queue or timeout else None
    waits = op.document["triton.rec_max_queue_delay_microseconds"] if op.kind == "rec" else None
    if waits is not None and waits >= 0:
        batching.max_queue_delay_microseconds = waits
    elif merged == 1 or waits is not None:
        # A queue's settings make Triton merge what waits, unless told that one row is a batch.
        batching.preferred_batch_size.append(1)
        return batching if queue or timeout else None
    else:
        batching.preferred_batch_size.append(merged * (_rows(op) if op.kind == "rec" else 1))
        batching.max_queue_delay_microseconds = max(0, op["auto_batching_timeout"]) * 1000
    return batching


def _of_network(op: Op, name: str, default: int) -> int:
    """What `triton:` sets for an Op's network alone, else what the Op says."""
    path = f"triton.{op.kind}_{name}"
    own: int | None = op.document[path] if path in op.document.values else None
    return default if own is None else own


def profile_of(op: Op, counts: Mapping[str, int] | None = None) -> Plan:
    """What the kind of machine of an Op wants, where no key says otherwise.

    It is the profile that is named, unless that has the Op's network on another kind of device.
    """
    own = PROFILES[op.device]
    named = load_profile(op.document["triton.profile"] or own, counts)
    fits = device_of(named, op.kind) == ("gpu" if op.cards else "cpu")
    return named if fits else load_profile(own, counts)


def _rows(op: Op) -> int:
    own = op.document["triton.rec_batch_size"]
    default = profile_of(op).models["recognize"].parameters.get("rec_batch_size", "1")
    return int(default) if own is None else own


def _engine(op: Op) -> EngineSpec | None:
    """The engine that runs an Op's network on the CPU; None on a GPU, which has its own.

    float32 is what Paddle Serving computed in, and stays unless the file asks for another
    precision or names a profile. Only ONNX Runtime leaves a graph as it is written.

    Raises:
        ConfigError: the profile has no engine of the precision that is written.
    """
    if op.cards:
        return None
    if op["precision"] == "bf16":
        return OPENVINO_BF16
    if _graph_level(op) == GRAPH_AS_WRITTEN:
        return ONNXRUNTIME
    engine = profile_of(op).models[op.kind].engine
    if engine is not None and engine.precision != "fp32" and op.is_written("precision"):
        raise ConfigError(
            f"{op.path('precision')} is {op['precision']}, but triton.profile is "
            f"{op.document['triton.profile']!r}, which computes in {engine.precision}; "
            "leave one of them out"
        )
    return engine


def _graph_level(op: Op) -> int | None:
    off = op.is_written("ir_optim") and not op["ir_optim"]
    return GRAPH_AS_WRITTEN if off else None
