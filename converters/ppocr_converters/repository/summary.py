"""What a repository starts: a row for each model, with the memory that is expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ppocr_converters.repository import memory as memory_of
from ppocr_converters.repository.configuration import Configs, served_widths
from ppocr_engine.spec import EngineSpec

KIND_GPU = 1  # of the enumeration in Triton's ModelInstanceGroup


@dataclass(frozen=True)
class Served:
    """One row of a repository's summary.

    Attributes:
        model: its name.
        backend: or "ensemble".
        kind: where the instances run, "" where there are none.
        instances: on all devices together; those on every GPU there is count once.
        precision: that the engine computes in where it is not the file's, "" otherwise.
        threads: of each instance.
        memory_mib: expected for each instance, None on a GPU.
        shared_mib: shared memory expected for each instance, MiB.
    """

    model: str
    backend: str
    kind: str
    instances: int
    precision: str
    threads: int
    memory_mib: int | None
    shared_mib: int


def summarise(configs: Configs, file_bytes: Mapping[str, int]) -> list[Served]:
    """A row for each model.

    Args:
        configs: of all models.
        file_bytes: the size of each network's file, by the name of its model.
    """
    parameters = {n: v.string_value for n, v in configs["recognize"].parameters.items()}
    widest = served_widths(configs)[-1]
    networks = {
        name: memory_of.network_mib(name, size, parameters, widest)
        for name, size in file_bytes.items()
    }
    return [_row(config, networks.get(name)) for name, config in configs.items()]


def _row(config: Any, network_mib: int | None) -> Served:
    spec, groups = EngineSpec.read(config), config.instance_group
    gpu = any(group.kind == KIND_GPU for group in groups)
    step_mib = memory_of.STEP_MIB if groups else 0
    kind = "KIND_GPU" if gpu else "KIND_CPU"
    return Served(
        model=config.name,
        backend=config.backend or config.platform,
        kind=kind if groups else "",
        instances=sum(group.count * max(1, len(group.gpus)) for group in groups),
        precision="" if spec is None or spec.precision == "fp32" else spec.precision,
        threads=1 if spec is None else max(1, spec.threads),
        memory_mib=step_mib if network_mib is None else None if gpu else network_mib,
        shared_mib=memory_of.SHARED_MIB if groups else 0,
    )
