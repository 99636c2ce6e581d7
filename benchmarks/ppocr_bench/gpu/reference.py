"""What a repository reads on a CPU, and whether a server reads the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_bench.networks import Feed, Networks, read_setting
from ppocr_bench.pictures import Picture
from ppocr_bench.record import BenchError
from ppocr_converters.proof.lines import compare_readings
from ppocr_converters.proof.pictures import Picture as Read
from ppocr_converters.proof.tolerance import loosest, tolerance_of
from ppocr_engine.config_pbtxt import read_config, write_config
from ppocr_engine.session import import_engine
from ppocr_pipeline.pipeline import Line

NETWORKS = ("det", "rec", "cls")
Facts = dict[str, Any]
#: Writes what a stage has found so far.
Keep = Callable[[Facts], None]


def make_reference(repositories: Sequence[Path], pictures: Sequence[Picture]) -> Facts:
    """What a bundle knows of its repositories: the lines that are expected, and the networks.

    `lines` of every picture are read by the first repository in float32, or else by the first one.
    `repositories` holds of each by name, which is that of its precision: `precisions` of the
    networks, and `inputs`: of each picture, what each call of a network is fed, by tensor the type
    and the shape.
    """
    found: dict[str, Facts] = {}
    lines: dict[str, Facts] = {}
    for folder in repositories:
        precisions = {one: precision_of(folder, one) for one in NETWORKS if (folder / one).is_dir()}
        name = "+".join(sorted(set(precisions.values())))
        if name in found:
            raise BenchError(f"two repositories are in {name}: name one with each --repository")
        inputs, lines[name] = {}, {}
        networks = Networks(folder, list(precisions), single=True, on_cpu=True)
        for one in pictures:
            read, work = networks.read(one.data)
            lines[name][one.name] = [line_facts(line) for line in read]
            inputs[one.name] = [(network, shapes(feed)) for network, feed in work]
        found[name] = {"precisions": precisions, "inputs": inputs}
    return {"lines": lines.get("fp32", next(iter(lines.values()))), "repositories": found}


def precision_of(repository: Path, network: str) -> str:
    """The precision that a network's file is in."""
    path = read_setting(repository, network, on_cpu=True).weights
    stored = import_engine("onnxruntime").InferenceSession(str(path)).get_modelmeta()
    return str(stored.custom_metadata_map.get("ppocr_precision", "fp32"))


def shapes(feed: Feed) -> dict[str, tuple[str, tuple[int, ...]]]:
    """By tensor its type and shape."""
    return {name: (array.dtype.str, array.shape) for name, array in feed.items()}


def line_facts(line: Line) -> Facts:
    """A line as JSON holds it."""
    return asdict(line) | {"box": np.asarray(line.box).tolist()}


def compare(
    expected: Mapping[str, Sequence[Facts]],
    found: Mapping[str, Sequence[Facts]],
    precisions: Mapping[str, str],
) -> Facts:
    """How answers differ from the reference, and every bound of the precisions that is not kept."""
    names = list(found)
    expects, finds = (
        [[Line(**one | {"box": np.float32(one["box"])}) for one in of[name]] for name in names]
        for of in (expected, found)
    )
    # A picture is handed around by its number, since both readings were made before.
    numbers = [Read(name, np.array(number)) for number, name in enumerate(names)]
    proof = compare_readings(
        lambda number, _: expects[int(number)],
        lambda number, _: finds[int(number)],
        numbers,
        loosest(map(tolerance_of, precisions.values())),
    )
    return asdict(proof)


def on_cpu(repository: Path, target: Path) -> Path:
    """A copy of a repository whose networks run on the CPU, which needs no warm-up."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(repository, target)
    for path in target.glob("*/config.pbtxt"):
        config = read_config(path)
        for group in config.instance_group:
            if group.kind == group.KIND_GPU:
                group.kind = group.KIND_CPU
                group.ClearField("gpus")
        config.ClearField("optimization")
        config.ClearField("model_warmup")
        write_config(path, config)
    return target
