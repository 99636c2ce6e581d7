"""One Op of config.yml: what is decided from its keys, and what there is to say about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import ConfigError, all_keys
from ppocr_engine.spec import EngineSpec

CPU, CUDA, TENSORRT, ARM = 0, 1, 2, 3
DEVICE_NAMES = {CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT", ARM: "Arm CPU"}
IDLE_SUBGRAPHS = "without effect: only TensorRT (device_type 2) has subgraphs"
UNMERGED = "without effect: Triton's OpenVINO backend runs each request by itself"
PRECISIONS = {"cpu": ("fp32", "fp16", "bf16"), "gpu": ("fp32", "fp16", "int8")}


@dataclass(frozen=True)
class Op:
    """An Op: its keys under their short names, and what is decided from several of them.

    Attributes:
        instances: of each of its models.
        device: 0 CPU, 1 CUDA, 2 TensorRT, 3 Arm CPU.
        cards: the GPUs, none for the CPU.
    """

    document: Document
    name: str
    kind: Kind
    instances: int = 1
    device: int = CPU
    cards: tuple[int, ...] = ()

    def path(self, name: str) -> str:
        """The path of `concurrency`, or of `devices` in local_service_conf."""
        own = f"op.{self.name}.{name}"
        return own if own in self.document.values else f"op.{self.name}.local_service_conf.{name}"

    def __getitem__(self, name: str) -> Any:
        return self.document[self.path(name)]

    @property
    def file_precision(self) -> str:
        """What the network's file is converted to; OpenVINO rounds to bf16 by itself."""
        precision: str = self["precision"]
        return precision if precision in ("fp16", "int8") else "fp32"

    def is_written(self, name: str) -> bool:
        """Whether the key has a value of its own."""
        return self.path(name) in self.document.written

    def is_changed(self, name: str) -> bool:
        """Whether the key has a value other than its default."""
        default = all_keys()[self.path(name).replace(f"op.{self.name}.", "op.NAME.", 1)].default
        return bool(self[name] != default)


def read_op(document: Document, name: str, kind: Kind) -> Op:
    """Decide an Op's instances and device.

    Raises:
        ConfigError: keys contradict each other, or ask for remote inference.
    """
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


def warnings_of(op: Op, engine: EngineSpec | None) -> dict[str, str]:
    """Keys that contradict others so that they are without effect, and limits of promises."""
    found = {}
    if engine is not None and engine.backend == "openvino" and op["batch_size"] > 1:
        found["batch_size"] = UNMERGED
    if not op.cards and op["devices"].strip():
        found["devices"] = f"without effect: device_type {op.device} is {DEVICE_NAMES[op.device]}"
    if op["use_calib"] and op["precision"] != "int8":
        found["use_calib"] = "without effect: calibration is for precision int8"
    if op["precision"] == "int8" and not op["use_calib"]:
        found["use_calib"] = "int8 is always calibrated, on rendered pages or --images"
    if op.is_changed("min_subgraph_size") and op.device != TENSORRT:
        found["min_subgraph_size"] = IDLE_SUBGRAPHS
    if op["batch_size"] > 1 and op["auto_batching_timeout"] < 1:
        found["auto_batching_timeout"] = (
            "a batch does not wait for ever to fill: it goes as soon as an instance is free"
        )
    if op["batch_size"] == 1 and op["auto_batching_timeout"] > 0:
        found["auto_batching_timeout"] = "without effect: batch_size is 1"
    return {op.path(name): text for name, text in found.items()}
