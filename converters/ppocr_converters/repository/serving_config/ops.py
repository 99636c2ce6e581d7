"""One Op of config.yml: what is decided from its keys, and what there is to say about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import ConfigError

CPU, CUDA, TENSORRT, ARM = 0, 1, 2, 3
DEVICE_NAMES = {CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT", ARM: "Arm CPU"}
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


class OpKeys:
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
    local = OpKeys(document, name)
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


def parse_cards(devices: str) -> tuple[int, ...]:
    """The cards of a text such as "0,1,2"; none of an empty one."""
    return tuple(int(card) for card in devices.split(",")) if devices.strip() else ()


def warnings_of(local: OpKeys, op: Op) -> dict[str, str]:
    """Keys that contradict others so that they are without effect, and limits of promises."""
    found = {}
    if not op.cards and local["devices"].strip():
        found["devices"] = f"without effect: device_type {op.device} is {DEVICE_NAMES[op.device]}"
    if local["use_calib"] and local["precision"] != "int8":
        found["use_calib"] = "without effect: calibration is for precision int8"
    if local["precision"] == "int8" and not local["use_calib"]:
        found["use_calib"] = "int8 is always calibrated, on rendered pages or --images"
    if local.is_written("min_subgraph_size") and op.device != TENSORRT:
        found["min_subgraph_size"] = "without effect: only TensorRT (device_type 2) has subgraphs"
    if local["batch_size"] > 1 and local["auto_batching_timeout"] < 1:
        found["auto_batching_timeout"] = (
            "a batch does not wait for ever to fill: it goes as soon as an instance is free"
        )
    if local["batch_size"] == 1 and local["auto_batching_timeout"] > 0:
        found["auto_batching_timeout"] = "without effect: batch_size is 1"
    return {local.path(name): text for name, text in found.items()}
