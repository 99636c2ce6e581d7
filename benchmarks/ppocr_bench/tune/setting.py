"""What is tuned: the keys of the `triton:` section that say how a machine is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ppocr_engine.spec import EngineSpec

#: Widths that lines are padded to: fine, coarser, and few.
BUCKETS = ("96-3200/32", "128-3200/64", "160,320,640,960,1600,3200")
#: Lines in one call of the recogniser, on a CPU and on a GPU.
CPU_BATCHES, GPU_BATCHES = (1, 2, 4, 8), (8, 16, 32, 64)
NOT_MERGED = -1
#: How long a call waits for others, microseconds. On a GPU only: on a CPU there is little to gain,
#: and with some engines the last bits of a score would depend on who else is asking.
DELAYS = (NOT_MERGED, 0, 1000, 5000)


@dataclass(frozen=True)
class Setting:
    """One way to use the machine; the names are keys of the `triton:` section.

    Attributes:
        det_instances: of the detector, on each device.
        det_threads: of each of them on a CPU; 0 on a GPU.
        rec_instances: of the recogniser, on each device.
        rec_threads: of each of them on a CPU; 0 on a GPU.
        rec_batch_size: lines in one call of the recogniser, at the most.
        rec_buckets: widths in pixels that lines are padded to.
        rec_max_queue_delay_microseconds: how long a call of the recogniser waits for others of
            its width to be merged with; -1: calls are not merged.
    """

    det_instances: int
    det_threads: int
    rec_instances: int
    rec_threads: int
    rec_batch_size: int
    rec_buckets: str
    rec_max_queue_delay_microseconds: int


def read_setting(configs: Mapping[str, Any]) -> Setting:
    """The setting of a repository from its `ModelConfig`s by name: det, rec and recognize."""
    det, rec = configs["det"], configs["rec"]
    parameters = configs["recognize"].parameters
    merged = rec.HasField("dynamic_batching")
    return Setting(
        det_instances=det.instance_group[0].count,
        det_threads=0 if on_gpu(det) else _threads(det),
        rec_instances=rec.instance_group[0].count,
        rec_threads=0 if on_gpu(rec) else _threads(rec),
        rec_batch_size=int(parameters["rec_batch_size"].string_value),
        rec_buckets=parameters["rec_buckets"].string_value,
        rec_max_queue_delay_microseconds=(
            rec.dynamic_batching.max_queue_delay_microseconds if merged else NOT_MERGED
        ),
    )


def _threads(config: Any) -> int:
    spec = EngineSpec.read(config)
    return 1 if spec is None else max(1, spec.threads)


def write_setting(configs: Mapping[str, Any], setting: Setting) -> None:
    """Change the `ModelConfig`s of det, rec and recognize to a setting."""
    _write_network(configs["det"], setting.det_instances, setting.det_threads)
    _write_network(configs["rec"], setting.rec_instances, setting.rec_threads)
    parameters = configs["recognize"].parameters
    parameters["rec_batch_size"].string_value = str(setting.rec_batch_size)
    parameters["rec_buckets"].string_value = setting.rec_buckets
    delay = setting.rec_max_queue_delay_microseconds
    if delay == NOT_MERGED:
        configs["rec"].ClearField("dynamic_batching")
    else:
        configs["rec"].dynamic_batching.max_queue_delay_microseconds = delay
        configs["rec"].dynamic_batching.SetInParent()


def on_gpu(config: Any) -> bool:
    """Whether a network's instances run on GPUs."""
    from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

    return any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group)


def _write_network(config: Any, instances: int, threads: int) -> None:
    for group in config.instance_group:
        group.count = instances
    spec = EngineSpec.read(config)
    if threads and spec is not None:
        replace(spec, threads=threads).write(config)


def steps(cores: int, setting: Setting) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """What is changed one after the other, and the values that are tried for each.

    Args:
        cores: that the server may use.
        setting: of the repository: says whether a network is on a CPU or on GPUs.
    """
    for network in ("det", "rec"):
        on_cpu = getattr(setting, f"{network}_threads") > 0
        pairs = shares(cores) if on_cpu else [(1, 0), (2, 0), (4, 0)]
        names = f"{network}_instances", f"{network}_threads"
        yield f"{network} instances and threads", [dict(zip(names, p, strict=True)) for p in pairs]
    on_cpu = setting.rec_threads > 0
    batches = CPU_BATCHES if on_cpu else GPU_BATCHES
    yield "lines in a call", [{"rec_batch_size": size} for size in batches]
    yield "widths", [{"rec_buckets": widths} for widths in BUCKETS]
    if not on_cpu:
        yield "merging of calls", [{"rec_max_queue_delay_microseconds": delay} for delay in DELAYS]


def shares(cores: int) -> list[tuple[int, int]]:
    """Instances and threads of each that a CPU's cores can be shared out in.

    One thread for each core in all, in every way that leaves no core over; and as many instances
    as cores with two threads each, which shortens what a single client waits for.
    """
    even = [(count, cores // count) for count in range(cores, 0, -1) if cores % count == 0]
    return [*even, (cores, 2)] if cores > 1 else even


def variants(base: Setting, values: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """The base, and it with each of the values in turn; none twice."""
    return list(dict.fromkeys([base, *(replace(base, **value) for value in values)]))


def section(setting: Setting, default: Setting) -> list[str]:
    """Lines of a `triton:` section that makes a default to the setting."""
    changed = {
        field.name: getattr(setting, field.name)
        for field in fields(Setting)
        if getattr(setting, field.name) != getattr(default, field.name)
    }
    if not changed:
        return ["# the defaults are the fastest that was found"]
    lines = [f"  {name}: {_yaml(value)}" for name, value in changed.items()]
    return ["triton:", *lines]


def _yaml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
