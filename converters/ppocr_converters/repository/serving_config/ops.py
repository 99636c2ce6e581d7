"""One Op of config.yml: what is decided from its keys, and the plans of its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tritonclient.grpc.model_config_pb2 import ModelDynamicBatching, ModelInstanceGroup

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan, load_profile, models_of_op
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_engine.spec import GRAPH_AS_WRITTEN, ONNXRUNTIME, OPENVINO_BF16, Accelerator, EngineSpec

CPU, CUDA, TENSORRT, ARM = 0, 1, 2, 3
DEVICE_NAMES = {CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT", ARM: "Arm CPU"}
#: The profile of each device.
PROFILES = {CPU: "cpu", CUDA: "gpu", TENSORRT: "tensorrt", ARM: "cpu"}
PRECISIONS = {"cpu": ("fp32", "fp16", "bf16"), "gpu": ("fp32", "fp16", "int8")}


@dataclass(frozen=True)
class Op:
    """An Op: its keys under their short names, and what is decided from several of them.

    Attributes:
        instances: of each of its models.
        device: a key of `DEVICE_NAMES`.
        cards: the GPUs, none for the CPU.
    """

    document: Document
    name: str
    kind: Kind
    instances: int = 1
    device: int = CPU
    cards: tuple[int, ...] = ()

    def path(self, name: str) -> str:
        """The path of a key, which may be in local_service_conf."""
        own = f"op.{self.name}.{name}"
        return own if own in self.document.values else f"op.{self.name}.local_service_conf.{name}"

    def __getitem__(self, name: str) -> Any:
        return self.document[self.path(name)]

    def is_written(self, name: str) -> bool:
        """Whether the key has a value of its own."""
        return self.path(name) in self.document.written


def read_op(document: Document, name: str, kind: Kind) -> Op:
    """Decide an Op's instances and device."""
    op = Op(document, name, kind)
    if op["server_endpoints"]:
        raise ConfigError(
            f"{op.path('server_endpoints')} asks for remote inference, but Triton runs the models "
            f"itself; leave it empty and set {op.path('model_config')}"
        )
    workers = document["worker_num"] if document["build_dag_each_worker"] else 1
    cards = parse_cards(op["devices"])
    device = op["device_type"]
    if device == -1:
        device = CUDA if cards else CPU
    on_gpu = device in (CUDA, TENSORRT)
    if on_gpu and not cards:
        raise ConfigError(
            f"{op.path('device_type')} is {device} ({DEVICE_NAMES[device]}) but "
            f'{op.path("devices")} is empty; name the cards, as in devices: "0"'
        )
    if op["precision"] not in (allowed := PRECISIONS["gpu" if on_gpu else "cpu"]):
        raise ConfigError(
            f"{op.path('precision')} is {op['precision']!r}; allowed on "
            f"{DEVICE_NAMES[device]}: {', '.join(allowed)}"
        )
    instances = workers * op["concurrency"]
    return replace(op, instances=instances, device=device, cards=cards if on_gpu else ())


def parse_cards(devices: str) -> tuple[int, ...]:
    """The cards of a text such as "0,1,2"; none of an empty one."""
    return tuple(int(card) for card in devices.split(",")) if devices.strip() else ()


def profile_of(op: Op, counts: Mapping[str, int] | None = None) -> Plan:
    """What the kind of machine of an Op wants, where no key says otherwise.

    It is the profile that is named, unless that has the Op's network on another kind of device.
    """
    own = PROFILES[op.device]
    named = load_profile(op.document["triton.profile"] or own, counts)
    fits = named[op.kind].device == ("gpu" if op.cards else "cpu")
    return named if fits else load_profile(own, counts)


def plan_op(op: Op) -> dict[str, ModelPlan]:
    """The plans of an Op's models, over those of its profile; the network is called like its kind.

    How requests are merged is the Op's alone: without batch_size they are not.
    """
    profile, plans = profile_of(op), {}
    try:
        for name in models_of_op(op.kind):
            instances, batching = _on_cpu(op.instances), _batching(op, name, profile)
            plans[name] = replace(profile[name], instances=instances, batching=batching)
        plans[op.kind] = _plan_network(op, plans[op.kind])
    except ValueError as error:  # of protobuf
        raise ConfigError(
            f"op.{op.name}: worker_num times concurrency, or batch_size times the lines of a call, "
            f"is more than Triton's configuration can hold ({error}); lower them"
        ) from error
    return plans


def _plan_network(op: Op, plan: ModelPlan) -> ModelPlan:
    """The plan of an Op's network, which alone runs on GPUs and is batched."""
    # By default Paddle Serving optimises no graph; only an ir_optim that is written counts.
    as_written = op.is_written("ir_optim") and not op["ir_optim"]
    engine, batching, accelerators = _engine(op, plan, as_written), plan.batching, plan.accelerators
    if batching is not None and engine is not None and engine.backend == "openvino":
        for field in ("preferred_batch_size", "max_queue_delay_microseconds"):
            batching.ClearField(field)  # it merges nothing
    rows = max(batching.preferred_batch_size, default=0) if batching else 0
    if op.device == TENSORRT:
        given = {one.name: one.parameters for one in accelerators}.get("tensorrt", {})
        # Of ONNX Runtime 1 is the least; with 0 Paddle hands over every subgraph, too.
        subgraphs = {"trt_min_subgraph_size": str(max(1, op["min_subgraph_size"]))}
        accelerators = (Accelerator("gpu", "tensorrt", {**given, **subgraphs}),)
    memory = {} if op["mem_optim"] else {"enable_mem_arena": "0", "enable_mem_pattern": "0"}
    count = _of_network(op, "instances", op.instances)
    return replace(
        plan,
        instances=round_robin(count, op.cards) if op.cards else _on_cpu(count),
        max_batch_size=max(plan.max_batch_size, rows),
        engine=engine,
        # OpenVINO rounds to bf16 by itself.
        file_precision="fp32" if op["precision"] == "bf16" else op["precision"],
        threads=_of_network(op, "threads", op["thread_num"]),
        graph_level=GRAPH_AS_WRITTEN if as_written else None,
        accelerators=accelerators,
        parameters={**plan.parameters, **memory},
    )


def _of_network(op: Op, name: str, default: int) -> int:
    """What `triton:` sets for an Op's network alone, else what the Op says."""
    own: int | None = op.document.values.get(f"triton.{op.kind}_{name}")
    return default if own is None else own


def _engine(op: Op, plan: ModelPlan, as_written: bool) -> EngineSpec | None:
    """The engine that runs an Op's network on the CPU; None on a GPU, which has its own.

    float32 is what Paddle Serving computed in, and stays unless the file asks for another
    precision or names a profile. Only ONNX Runtime leaves a graph as it is written.
    """
    if op.cards:
        return None
    if op["precision"] == "bf16":
        return OPENVINO_BF16
    if as_written:
        return ONNXRUNTIME
    if plan.engine is not None and plan.engine.precision != "fp32" and op.is_written("precision"):
        raise ConfigError(
            f"{op.path('precision')} is {op['precision']}, but triton.profile is "
            f"{op.document['triton.profile']!r}, which computes in {plan.engine.precision}; "
            "leave one of them out"
        )
    return plan.engine


def _on_cpu(count: int) -> tuple[Any, ...]:
    return (ModelInstanceGroup(count=count, kind="KIND_CPU"),)


def round_robin(count: int, cards: Sequence[int]) -> tuple[Any, ...]:
    """Instance i runs on card i mod n, as in Paddle Serving: 7 on 0, 1, 2 are 3, 2 and 2.

    A card that is named twice gets twice as many.

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


def _batching(op: Op, model: str, profile: Plan) -> Any:
    """The queue of a model, and for a network how requests are merged; None for no queue.

    The longest queue stands before the Op's first model, not inside: one picture makes many calls
    of `rec`, which must not be refused because they wait for each other.
    """
    queue = op.document["dag.channel_size"] if model == models_of_op(op.kind)[0] else 0
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
        if op.kind == "rec":  # a request is a call, of so many lines
            lines = profile["recognize"].parameters.get("rec_batch_size", "1")
            merged *= op.document["triton.rec_batch_size"] or int(lines)
        batching.preferred_batch_size.append(merged)
        batching.max_queue_delay_microseconds = max(0, op["auto_batching_timeout"]) * 1000
    return batching
