"""What is tuned: the keys of the `triton:` section that say how a machine is used."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

from ppocr_bench.errors import BenchError
from ppocr_converters.repository.configuration import calls_of
from ppocr_engine.config_pbtxt import read_config, write_config
from ppocr_engine.spec import EngineSpec

TUNED = ("det", "rec", "recognize")
#: Widths that lines are padded to: fine, coarser, and few.
BUCKETS = ("96-640/8,672-3200/32", "96-3200/32", "128-3200/64", "160,320,640,960,1600,3200")
#: Lines in one call of the recogniser, on a CPU and on a GPU.
CPU_BATCHES, GPU_BATCHES = (1, 2, 4, 8), (8, 16, 32, 64)


class Setting(NamedTuple):
    """One way to use the machine; the names are keys of the `triton:` section.

    Instances are on each device; threads are of each instance on a CPU, 0 on a GPU.
    """

    det_instances: int
    det_threads: int
    rec_instances: int
    rec_threads: int
    rec_batch_size: int
    rec_buckets: str


def read_configs(repository: Path) -> dict[str, Any]:
    """The configurations that are tuned, by the model's name; BenchError where one is missing."""
    paths = {name: repository / name / "config.pbtxt" for name in TUNED}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        said = f"{repository} has no {', '.join(missing)}; build one with `ppocr-convert build`"
        raise BenchError(said)
    return {name: read_config(path) for name, path in paths.items()}


def read_setting(repository: Path) -> Setting:
    """The setting of a repository."""
    det, rec, recognize = read_configs(repository).values()
    return Setting(
        *(det.instance_group[0].count, threads_of(det)),
        *(rec.instance_group[0].count, threads_of(rec)),
        int(recognize.parameters["rec_batch_size"].string_value),
        recognize.parameters["rec_buckets"].string_value,
    )


@contextlib.contextmanager
def with_setting(repository: Path, setting: Setting) -> Iterator[Path]:
    """A copy of a repository for the time of the block, changed to a setting."""
    with tempfile.TemporaryDirectory(prefix="ppocr-tune-") as folder:
        variant = shutil.copytree(repository, Path(folder) / "repository")
        configs = read_configs(variant)
        shares = {"det": setting[:2], "rec": setting[2:4]}
        for name, (instances, threads) in shares.items():
            for group in configs[name].instance_group:
                group.count = instances
            spec = EngineSpec.read(configs[name])
            if threads and spec is not None:
                replace(spec, threads=threads).write(configs[name])
        parameters = configs["recognize"].parameters
        parameters["rec_batch_size"].string_value = str(setting.rec_batch_size)
        parameters["rec_buckets"].string_value = setting.rec_buckets
        if "rec_calls" in parameters:
            parameters["rec_calls"].string_value = calls_of(configs["rec"])
        for name, config in configs.items():
            write_config(variant / name / "config.pbtxt", config)
        yield variant


def threads_of(config: Any) -> int:
    """Threads of each instance of a network; 0 where its instances run on GPUs."""
    if any(group.kind == ModelInstanceGroup.KIND_GPU for group in config.instance_group):
        return 0
    spec = EngineSpec.read(config)
    return 1 if spec is None else max(1, spec.threads)


def steps(cores: int, setting: Setting) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """What is changed one after the other, and the values that are tried for each.

    `cores` may be used by the server; the repository's setting says what is on a CPU or on GPUs.
    """
    for network, threads in (("det", setting.det_threads), ("rec", setting.rec_threads)):
        pairs = shares(cores) if threads else [(1, 0), (2, 0), (4, 0)]
        names = f"{network}_instances", f"{network}_threads"
        yield f"{network} instances and threads", [dict(zip(names, p, strict=True)) for p in pairs]
    batches = CPU_BATCHES if setting.rec_threads else GPU_BATCHES
    yield "lines in a call", [{"rec_batch_size": size} for size in batches]
    yield "widths", [{"rec_buckets": widths} for widths in BUCKETS]


def shares(cores: int) -> list[tuple[int, int]]:
    """Instances and threads of each that a CPU's cores can be shared out in.

    One thread for each core in all, in every way that leaves no core over; and as many instances
    as cores with two threads each, which shortens what a single client waits for.
    """
    even = [(count, cores // count) for count in range(cores, 0, -1) if cores % count == 0]
    return [*even, (cores, 2)] if cores > 1 else even


def section(setting: Setting, default: Setting) -> str:
    """The `triton:` section that makes a default to the setting."""
    pairs = zip(Setting._fields, setting, default, strict=True)
    changed = {key: value for key, value, other in pairs if value != other}
    if not changed:
        return "# the defaults are the fastest that was found"
    return yaml.safe_dump({"triton": changed}, sort_keys=False).rstrip()
