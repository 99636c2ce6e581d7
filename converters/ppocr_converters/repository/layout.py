"""A model repository put together: steps, weights, dictionary and configuration of one set."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import ModelProto, save

from ppocr_converters.catalogue.entries import catalogue
from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.compile import cast_first, classifier_parameters
from ppocr_converters.graph.dictionary import check_dictionary, class_names, write_dictionary
from ppocr_converters.graph.onnx_model import (
    Tensor,
    expect_kind,
    inputs,
    is_compiled,
    kind_of,
    load_onnx,
    metadata,
    outputs,
)
from ppocr_converters.proof.tensors import precision_of
from ppocr_converters.repository import memory as memory_of
from ppocr_converters.repository.admission import limit_requests
from ppocr_converters.repository.deployment_plan import (
    LINES_PER_CALL,
    ModelPlan,
    Plan,
    Shapes,
    apply,
)
from ppocr_converters.repository.source import lay_packages
from ppocr_converters.repository.tensorrt.config import add_warmup, set_up_provider
from ppocr_converters.repository.tensorrt.shapes import Bucket, buckets_of
from ppocr_engine.config_pbtxt import TYPES, read_config, set_parameter, write_config
from ppocr_engine.spec import EngineSpec
from ppocr_pipeline.batches import parse_buckets

CONFIG = "config.pbtxt"
WEIGHTS = "1/model.onnx"
KIND_GPU = 1  # of the enumeration in Triton's ModelInstanceGroup
DICTIONARY = "recognize/1/dictionary.txt"
#: Networks that a repository can do without.
OPTIONAL = frozenset({"cls"})
NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.onnx", "manifest.json", "dictionary.txt"
)


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


def assemble(folder: Path, source: Path, networks: Mapping[str, Path], plan: Plan) -> list[Served]:
    """Fill a folder with a repository that can be served.

    Args:
        folder: where the models go.
        source: the repository without weights that is copied.
        networks: compiled ONNX files by the name of the model that serves them: "det", "rec",
            and "cls" where lines that are upside down shall be turned.
        plan: instances, devices, batching and engine of every model.

    Returns:
        A summary, one row for each model.

    Raises:
        ModelError: a network is not what its place needs.
        RepositoryError: a folder, a file or a configuration does not fit the others, the plan
            names a model that is not there, or its limits are not possible.
    """
    left_out = OPTIONAL - set(networks)
    present = {path.name for path in source.iterdir() if (path / CONFIG).is_file()}
    for name in sorted(present - left_out):
        shutil.copytree(source / name, folder / name, ignore=NOT_COPIED)
        if (folder / name / "1" / "model.py").is_file():
            lay_packages(folder / name / "1")
    check_ensembles(folder)
    for name, path in networks.items():
        if not (folder / name / CONFIG).is_file():
            raise RepositoryError(f"{source} has no model {name!r} to put {path} in")
        shutil.copyfile(path, folder / name / WEIGHTS)
        _configure_network(folder / name / CONFIG, _checked(name, path))
    models = {name: load_onnx(path) for name, path in networks.items()}
    _configure_detection(folder, models["det"])
    _configure_recognize(folder, models)
    if absent := set(plan.models) - present:
        missing = ", ".join(sorted(absent))
        raise RepositoryError(f"{plan.name} plans {missing}, which {source} has not")
    paths = sorted(folder.glob(f"*/{CONFIG}"))
    for path in paths:
        _apply_plan(path, plan.models.get(path.parent.name))
    _configure_calls(folder, plan)
    for name in networks:
        if name in plan.models and plan.models[name].shapes is not None:
            _prepare_shapes(folder, name, plan.models[name])
    limit_requests(folder)
    return [_summarise(path, folder) for path in paths]


def served_buckets(folder: Path, name: str, shapes: Shapes) -> tuple[Bucket, ...]:
    """The shapes that a network of a repository is served with."""
    model = load_onnx(folder / name / WEIGHTS)
    return buckets_of(kind_of(model), inputs(model), shapes, served_widths(folder))


def served_widths(folder: Path) -> list[int]:
    """The widths that the recogniser of a repository is fed with, pixels."""
    text = read_config(folder / "recognize" / CONFIG).parameters["rec_buckets"].string_value
    return parse_buckets(text)


def _prepare_shapes(folder: Path, name: str, plan: ModelPlan) -> None:
    """Warm-up, and what TensorRT must know and have, for a network on a GPU."""
    assert plan.shapes is not None
    path = folder / name / WEIGHTS
    buckets = served_buckets(folder, name, plan.shapes)
    config = read_config(folder / name / CONFIG)
    add_warmup(config, inputs(load_onnx(path)), buckets)
    if any(accelerator.name == "tensorrt" for accelerator in plan.accelerators):
        set_up_provider(config, buckets, precision_of(metadata(load_onnx(path))))
        save(cast_first(load_onnx(path)), path)
    write_config(folder / name / CONFIG, config)


def check_ensembles(folder: Path) -> None:
    """See that every step of every ensemble exists and every folder has a version.

    Raises:
        RepositoryError: a model is missing, misnamed or without a version folder.
    """
    names = {path.parent.name for path in folder.glob(f"*/{CONFIG}")}
    for name in sorted(names):
        config = read_config(folder / name / CONFIG)
        if config.name != name:
            raise RepositoryError(f"the folder {name} holds the configuration of {config.name!r}")
        if not (folder / name / "1").is_dir():
            raise RepositoryError(f"the model {name} has no version folder {name}/1")
        missing = {step.model_name for step in config.ensemble_scheduling.step} - names
        if missing:
            raise RepositoryError(f"{name} needs {', '.join(sorted(missing))}, which is not there")


def _checked(name: str, path: Path) -> ModelProto:
    """Load a compiled network and see that it is of the kind that its place needs."""
    model = load_onnx(path)
    if not is_compiled(model):
        raise RepositoryError(f"{path} is not compiled; run `ppocr-convert compile` on it first")
    expect_kind(kind_of(model), name, str(path))
    return model


def _configure_network(path: Path, model: ModelProto) -> None:
    """Take names, types and dims of a network's tensors from its graph."""
    config = read_config(path)
    del config.input[:]
    del config.output[:]
    for tensor in inputs(model):
        config.input.add(**_port(tensor))
    for tensor in outputs(model):
        config.output.add(**_port(tensor))
    write_config(path, config)


def _port(tensor: Tensor) -> dict[str, Any]:
    """A tensor as Triton declares it: without the batch axis, -1 for what is dynamic."""
    dims = [size if isinstance(size, int) else -1 for size in tensor.shape[1:]]
    return {"name": tensor.name, "data_type": TYPES[tensor.dtype], "dims": dims}


def _configure_detection(folder: Path, det: ModelProto) -> None:
    """Give `det_postprocess` the thresholds that its detector's own files name, if any."""
    path = folder / "det_postprocess" / CONFIG
    config = read_config(path)
    for name in [name for name in config.parameters if name.startswith("det_db_")]:
        if (value := metadata(det).get(f"ppocr_{name}")) is not None:
            set_parameter(config, name, value)
    write_config(path, config)


def _configure_recognize(folder: Path, networks: Mapping[str, ModelProto]) -> None:
    """Give `recognize` what it must know of the networks that it calls."""
    facts = metadata(networks["rec"])
    characters = facts["character"].split("\n")
    space = facts["use_space_char"] == "true"
    check_dictionary(characters, space, int(facts["ppocr_classes"]))
    write_dictionary(folder / DICTIONARY, class_names(characters, space))
    parameters = {
        "rec_name": facts["ppocr_name"],
        "rec_classes": facts["ppocr_classes"],
        "rec_height": facts["ppocr_height"],
    }
    known = catalogue().models.get(facts["ppocr_name"])
    if known is not None:
        parameters["languages"] = ",".join(known.languages)
    if "cls" in networks:
        parameters |= classifier_parameters(networks["cls"])
    config = read_config(folder / "recognize" / CONFIG)
    for name, value in parameters.items():
        set_parameter(config, name, value)
    write_config(folder / "recognize" / CONFIG, config)


def _configure_calls(folder: Path, plan: Plan) -> None:
    """Let `recognize` send as many lines in a call as suit the engine of `rec`, unless told."""
    rec = read_config(folder / "rec" / CONFIG)
    told = plan.models.get("recognize", ModelPlan()).parameters
    # Where Triton merges calls, a call is the smallest that it can merge.
    if "rec_batch_size" in told or rec.HasField("dynamic_batching"):
        return
    if (spec := EngineSpec.read(rec)) is not None and spec.backend in LINES_PER_CALL:
        config = read_config(folder / "recognize" / CONFIG)
        set_parameter(config, "rec_batch_size", LINES_PER_CALL[spec.backend])
        write_config(folder / "recognize" / CONFIG, config)


def _apply_plan(path: Path, plan: ModelPlan | None) -> None:
    """Write one model's part of the plan; a model that is not in it stays as it is."""
    config = read_config(path)
    if plan is not None:
        apply(config, plan)
    write_config(path, config)


def _summarise(path: Path, folder: Path) -> Served:
    config, weights = read_config(path), path.parent / WEIGHTS
    spec = EngineSpec.read(config)
    gpu = any(group.kind == KIND_GPU for group in config.instance_group)
    memory: int | None = memory_of.STEP_MIB if config.instance_group else 0
    if weights.exists():
        called = read_config(folder / "recognize" / CONFIG).parameters
        parameters = {name: value.string_value for name, value in called.items()}
        pixels = memory_of.run_pixels(config.name, parameters, served_widths(folder)[-1])
        size = weights.stat().st_size
        memory = None if gpu else memory_of.network_mib(config.name, size, pixels)
    kinds = {False: "KIND_CPU", True: "KIND_GPU"}
    return Served(
        model=config.name,
        backend=config.backend or config.platform,
        kind=kinds[gpu] if config.instance_group else "",
        instances=sum(group.count * max(1, len(group.gpus)) for group in config.instance_group),
        precision="" if spec is None or spec.precision == "fp32" else spec.precision,
        threads=1 if spec is None else max(1, spec.threads),
        memory_mib=memory,
        shared_mib=memory_of.SHARED_MIB if config.instance_group else 0,
    )
