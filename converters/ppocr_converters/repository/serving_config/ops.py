"""One Op of config.yml becomes the plans of its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.deployment_plan import (
    Batching,
    Instances,
    ModelPlan,
    Plan,
)
from ppocr_converters.repository.profiles import load_profile, models_of_op
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.placement import parse_cards, round_robin
from ppocr_engine.spec import (
    GRAPH_AS_WRITTEN,
    ONNXRUNTIME,
    OPENVINO_BF16,
    Accelerator,
    EngineSpec,
)

#: The network of each Op, which alone runs on GPUs and is batched.
NETWORK: dict[Kind, str] = {"det": "det", "rec": "rec", "cls": "cls"}
#: The model of each Op that its requests come to first: the queue before the Op.
ENTRANCE: dict[Kind, str] = {"det": "det_preprocess", "rec": "recognize", "cls": "cls"}
CPU, CUDA, TENSORRT, ARM = 0, 1, 2, 3
DEVICE_NAMES = {CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT", ARM: "Arm CPU"}
#: The profile of each device.
PROFILES = {CPU: "cpu", CUDA: "gpu", TENSORRT: "tensorrt", ARM: "cpu"}
PRECISIONS = {"cpu": ("fp32", "fp16", "bf16"), "gpu": ("fp32", "fp16", "int8")}


@dataclass(frozen=True)
class Op:
    """An Op with what is decided from several keys.

    Attributes:
        name: as written.
        kind: what it does.
        instances: of each of its models.
        device: 0 CPU, 1 CUDA, 2 TensorRT, 3 Arm CPU.
        cards: the GPUs, none for the CPU.
    """

    name: str
    kind: Kind
    instances: int
    device: int
    cards: tuple[int, ...]


@dataclass
class OpPlan:
    """The plans of an Op's models, and what there is to say about its keys, by path.

    `precision` is what its network is converted to; TensorRT rounds to fp16 by itself, OpenVINO
    to bf16.
    """

    models: dict[str, ModelPlan] = field(default_factory=dict)
    effects: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    unavailable: list[str] = field(default_factory=list)
    precision: str = "fp32"


class _Local:
    """The keys of one Op, under their short names."""

    def __init__(self, document: Document, op: str) -> None:
        self._document, self._op = document, op

    def path(self, name: str) -> str:
        """The path of `concurrency`, or of `devices` in local_service_conf."""
        own = f"op.{self._op}.{name}"
        return own if own in self._document.values else f"op.{self._op}.local_service_conf.{name}"

    def __getitem__(self, name: str) -> Any:
        return self._document[self.path(name)]

    def is_written(self, name: str) -> bool:
        """Whether the key has a value of its own."""
        return self.path(name) in self._document.written


def read_op(document: Document, name: str, kind: Kind) -> Op:
    """Decide an Op's instances and device.

    Raises:
        ConfigError: keys contradict each other, or ask for remote inference.
    """
    local = _Local(document, name)
    if local["server_endpoints"]:
        raise ConfigError(
            f"{local.path('server_endpoints')} asks for remote inference, which there is none of: "
            f"Triton runs the models itself; leave it empty and set "
            f"{local.path('model_config')}"
        )
    workers = document["worker_num"] if document["build_dag_each_worker"] else 1
    cards = parse_cards(local["devices"])
    device = local["device_type"]
    if device == -1:
        device = CUDA if cards else CPU
    if device in (CUDA, TENSORRT) and not cards:
        raise ConfigError(
            f"{local.path('device_type')} is {device} ({DEVICE_NAMES[device]}) but "
            f'{local.path("devices")} is empty; name the cards, as in devices: "0"'
        )
    on_gpu = device in (CUDA, TENSORRT)
    allowed = PRECISIONS["gpu" if on_gpu else "cpu"]
    if local["precision"] not in allowed:
        raise ConfigError(
            f"{local.path('precision')} is {local['precision']!r}; allowed on "
            f"{DEVICE_NAMES[device]}: {', '.join(allowed)}"
        )
    return Op(name, kind, workers * local["concurrency"], device, cards if on_gpu else ())


def plan_op(document: Document, op: Op) -> OpPlan:
    """The plans of an Op's models."""
    local = _Local(document, op.name)
    result = OpPlan()
    names = models_of_op(op.kind)
    network = NETWORK[op.kind]
    on_cpu = (Instances(op.instances),)
    count = _of_network(document, op, "instances", op.instances)
    on_network = round_robin(count, op.cards) if op.cards else (Instances(count),)
    for name in names:
        result.models[name] = ModelPlan(
            instances=on_network if name == network else on_cpu,
            batching=_batching(document, op, name),
        )
    plain = result.models[network]
    result.models[network] = ModelPlan(
        plain.instances,
        plain.batching,
        max_batch_size=max(plain.batching.preferred_sizes, default=0) if plain.batching else 0,
        engine=_engine(document, op),
        threads=_of_network(document, op, "threads", local["thread_num"]),
        graph_level=_graph_level(local),
        accelerators=_accelerators(local, op),
        parameters=_parameters(local),
    )
    result.unavailable += _unavailable(local, op)
    by_file = local["precision"] in ("fp16", "int8") and op.device != TENSORRT
    result.precision = local["precision"] if by_file else "fp32"
    result.warnings |= _warnings(local, op)
    result.effects |= _effects(document, op, result.models)
    return result


def _batching(document: Document, op: Op, model: str) -> Batching | None:
    """The queue of a model, and for a network how requests are merged.

    The longest queue stands before the Op, not inside it: one picture makes many calls of `rec`,
    which must not be refused because they wait for each other.
    """
    local = _Local(document, op.name)
    queue = document["dag.channel_size"] if model == ENTRANCE[op.kind] else 0
    timeout = max(0, local["timeout"]) * 1000
    if model != NETWORK[op.kind]:
        return Batching((), 0, queue, timeout) if queue or timeout else None
    rows = _rows(document, op) if op.kind == "rec" else 1
    merged = local["batch_size"]
    waits = document["triton.rec_max_queue_delay_microseconds"] if op.kind == "rec" else None
    if waits is not None and waits >= 0:
        return Batching((), waits, queue, timeout)
    if merged == 1 or waits is not None:
        # A queue's settings make Triton merge what waits, unless told that one row is a batch.
        return Batching((1,), 0, queue, timeout) if queue or timeout else None
    delay = max(0, local["auto_batching_timeout"]) * 1000
    return Batching((merged * rows,), delay, queue, timeout)


def _of_network(document: Document, op: Op, name: str, default: int) -> int:
    """What `triton:` sets for an Op's network alone, else what the Op says."""
    path = f"triton.{op.kind}_{name}"
    own: int | None = document[path] if path in document.values else None
    return default if own is None else own


def profile_of(document: Document, op: Op) -> Plan:
    """What a kind of machine wants, where no key says otherwise: named, or by the Op's device."""
    return load_profile(document["triton.profile"] or PROFILES[op.device])


def _rows(document: Document, op: Op) -> int:
    """Lines in one call of the recogniser."""
    own = document["triton.rec_batch_size"]
    default = profile_of(document, op).models["recognize"].parameters.get("rec_batch_size", "1")
    return int(default) if own is None else own


def _engine(document: Document, op: Op) -> EngineSpec | None:
    """The engine that runs an Op's network on the CPU; None on a GPU, which has its own.

    float32 is what Paddle Serving computed in, and stays unless the file asks for another
    precision or names a profile. Only ONNX Runtime leaves a graph as it is written.

    Raises:
        ConfigError: the profile has no engine of the precision that is written.
    """
    if op.cards:
        return None
    local = _Local(document, op.name)
    if local["precision"] == "bf16":
        return OPENVINO_BF16
    if _graph_level(local) == GRAPH_AS_WRITTEN:
        return ONNXRUNTIME
    engine = profile_of(document, op).models[NETWORK[op.kind]].engine
    if engine is not None and engine.precision != "fp32" and local.is_written("precision"):
        raise ConfigError(
            f"{local.path('precision')} is {local['precision']}, but triton.profile is "
            f"{document['triton.profile']!r}, which computes in {engine.precision}; "
            "leave one of them out"
        )
    return engine


def _graph_level(local: _Local) -> int | None:
    off = local.is_written("ir_optim") and not local["ir_optim"]
    return GRAPH_AS_WRITTEN if off else None


def _accelerators(local: _Local, op: Op) -> tuple[Accelerator, ...]:
    if op.device == TENSORRT:
        parameters = {
            "precision_mode": local["precision"].upper(),
            "trt_min_subgraph_size": str(local["min_subgraph_size"]),
        }
        return (Accelerator("gpu", "tensorrt", parameters),)
    return ()


def _parameters(local: _Local) -> Mapping[str, str]:
    return {} if local["mem_optim"] else {"enable_mem_arena": "0", "enable_mem_pattern": "0"}


def _unavailable(local: _Local, op: Op) -> list[str]:
    """Settings that are understood and cannot be built yet."""
    precision = local["precision"]
    if precision in ("fp32", "fp16", "bf16") or (precision == "int8" and op.device == CUDA):
        return []
    return [
        f"{local.path('precision')} is {precision}, and conversion of a network to {precision} for "
        f"{DEVICE_NAMES[op.device]} is not available yet; allowed now: fp32, fp16"
    ]


def _warnings(local: _Local, op: Op) -> dict[str, str]:
    """Keys that contradict others so that they are without effect, and limits of promises."""
    found = {}
    if not op.cards and local["devices"].strip():
        found["devices"] = f"without effect: device_type {op.device} is {DEVICE_NAMES[op.device]}"
    if local["use_calib"] and local["precision"] != "int8":
        found["use_calib"] = "without effect: calibration is for precision int8"
    if local["precision"] == "int8" and not local["use_calib"]:
        found["use_calib"] = "int8 is always calibrated, on rendered pages or --images"
    if local["precision"] == "fp16" and op.device == TENSORRT:
        found["precision"] = "the proof of equal texts is made in fp32; TensorRT rounds to fp16"
    if local.is_written("min_subgraph_size") and op.device != TENSORRT:
        found["min_subgraph_size"] = "without effect: only TensorRT (device_type 2) has subgraphs"
    if local["batch_size"] > 1 and local["auto_batching_timeout"] < 1:
        found["auto_batching_timeout"] = (
            "a batch does not wait for ever to fill: it goes as soon as an instance is free"
        )
    if local["batch_size"] == 1 and local["auto_batching_timeout"] > 0:
        found["auto_batching_timeout"] = "without effect: batch_size is 1"
    return {local.path(name): text for name, text in found.items()}


def _effects(document: Document, op: Op, models: Mapping[str, ModelPlan]) -> dict[str, str]:
    """What the Op's keys became, in numbers."""
    local = _Local(document, op.name)
    network = NETWORK[op.kind]
    groups = models[network].instances
    where = ", ".join(
        f"{group.count} on {'GPU ' + str(group.gpus[0]) if group.gpus else 'the CPU'}"
        for group in groups
    )
    batching = models[network].batching
    effects = {
        "concurrency": f"instance_group.count {op.instances} of {', '.join(models)}",
        "thread_num": f"{models[network].threads} threads of each instance of {network}",
        "device_type": f"{DEVICE_NAMES[op.device]} for {network}"
        + (f", by {engine}" if (engine := models[network].engine) else ""),
        "devices": f"{network}: {where}",
        "model_config": f"the network {network}",
        "ir_optim": "no graph optimisation (level 2)"
        if models[network].graph_level == GRAPH_AS_WRITTEN
        else "all graph optimisations",
        "batch_size": f"preferred_batch_size {batching.preferred_sizes[0]} of {network}"
        if batching and batching.preferred_sizes
        else "no merging of requests",
    }
    if batching and batching.delay_us:
        effects["auto_batching_timeout"] = (
            f"max_queue_delay_microseconds {batching.delay_us} of {network}"
        )
    if batching and batching.timeout_us:
        effects["timeout"] = (
            f"default_timeout_microseconds {batching.timeout_us} in the queues of "
            f"{', '.join(models)}; part of the request's deadline"
        )
    return {local.path(name): text for name, text in effects.items()}
