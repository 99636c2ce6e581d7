"""The config.pbtxt of every model of a set: the source's, with what networks and plan say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx import ModelProto

from ppocr_converters.catalogue.entries import catalogue
from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.compile import classifier_parameters
from ppocr_converters.graph.kinds import kind_of
from ppocr_converters.graph.onnx_model import Tensor, inputs, metadata, outputs
from ppocr_converters.repository.admission import DOOR, limit_requests
from ppocr_converters.repository.deployment_plan import (
    CALLS,
    FEW_WIDTHS,
    ModelPlan,
    Plan,
    apply,
    device_of,
)
from ppocr_converters.repository.tensorrt.config import add_warmup, set_up_provider
from ppocr_converters.repository.tensorrt.shapes import Buckets, buckets_of
from ppocr_engine.config_pbtxt import TYPES, read_config, set_parameter
from ppocr_engine.spec import EngineSpec
from ppocr_pipeline.batches import parse_buckets
from ppocr_pipeline.resize import Canvas, parse_canvases

CONFIG = "config.pbtxt"
#: Networks that a repository can do without.
OPTIONAL = frozenset({"cls", "page_orientation"})

#: A `ModelConfig` for each model, by its name.
Configs = dict[str, Any]


def configure(source: Path, networks: Mapping[str, ModelProto], plan: Plan) -> Configs:
    """The configuration of every model, as it is served.

    `networks` are compiled, by the name of the model that serves them; a repository can do without
    those in `OPTIONAL`.

    Raises:
        RepositoryError: a configuration does not fit the others, the plan names a model that is
            not there, or its limits are not possible.
    """
    present = read_configs(source)
    configs = {n: one for n, one in present.items() if n in networks or n not in OPTIONAL}
    _check_ensembles(configs)
    if absent := (set(plan.models) | set(networks)) - set(present):
        raise RepositoryError(
            f"{plan.name} has {', '.join(sorted(absent))}, for which {source} has no configuration"
        )
    for name, model in networks.items():
        _declare_tensors(configs[name], model)
    _configure_detection(configs["det_postprocess"], networks["det"])
    _configure_recognize(configs["recognize"], networks)
    if DOOR in configs:
        set_parameter(configs[DOOR], "languages", _languages(networks["rec"]))
    for name, config in configs.items():
        if name in plan.models:
            apply(config, plan.models[name])
    _configure_calls(configs, plan)
    _limit_tiles(configs)
    for name, buckets in served_buckets(configs, networks, plan).items():
        add_warmup(configs[name], inputs(networks[name]), buckets)
        if has_tensorrt(plan, name):
            set_up_provider(configs[name], buckets)
    limit_requests(configs)
    return configs


def read_configs(repository: Path) -> Configs:
    """The configuration of every model of a repository, sorted by name.

    Raises:
        RepositoryError: one cannot be read, is of another model, or has no version folder.
    """
    configs = {}
    for path in sorted(repository.glob(f"*/{CONFIG}")):
        name, config = path.parent.name, read_config(path)
        if config.name != name:
            raise RepositoryError(f"the folder {name} holds the configuration of {config.name!r}")
        if not (path.parent / "1").is_dir():
            raise RepositoryError(f"the model {name} has no version folder {name}/1")
        configs[name] = config
    return configs


def served_widths(configs: Configs) -> list[int]:
    """The widths that the recogniser is fed with, pixels."""
    return parse_buckets(configs["recognize"].parameters["rec_buckets"].string_value)


def served_canvases(configs: Configs) -> tuple[Canvas, ...]:
    """The sizes that the detector is fed with; none where each picture keeps its own.

    Raises:
        RepositoryError: they are not of the form that is allowed.
    """
    parameters = configs["det_preprocess"].parameters
    if "det_canvases" not in parameters:
        return ()  # steps of the user's own
    try:
        return parse_canvases(parameters["det_canvases"].string_value)
    except ValueError as error:
        raise RepositoryError(str(error)) from error


def served_buckets(
    configs: Configs, networks: Mapping[str, ModelProto], plan: Plan
) -> dict[str, Buckets]:
    """The shapes of each network that the plan prepares shapes for."""
    widths, canvases = served_widths(configs), served_canvases(configs)
    return {
        name: buckets_of(kind_of(model), inputs(model), shapes, widths, canvases)
        for name, model in networks.items()
        if (shapes := plan.models.get(name, ModelPlan()).shapes) is not None
    }


def has_tensorrt(plan: Plan, name: str) -> bool:
    """Whether a network runs by TensorRT inside ONNX Runtime."""
    accelerators = plan.models.get(name, ModelPlan()).accelerators
    return any(one.name == "tensorrt" for one in accelerators)


def _check_ensembles(configs: Configs) -> None:
    """See that every step of every ensemble exists."""
    for name, config in configs.items():
        missing = {step.model_name for step in config.ensemble_scheduling.step} - set(configs)
        if missing:
            raise RepositoryError(f"{name} needs {', '.join(sorted(missing))}, which is not there")


def _declare_tensors(config: Any, model: ModelProto) -> None:
    del config.input[:]
    del config.output[:]
    for tensor in inputs(model):
        config.input.add(**_port(tensor))
    for tensor in outputs(model):
        config.output.add(**_port(tensor))


def _port(tensor: Tensor) -> dict[str, Any]:
    """A tensor as Triton declares it: without the batch axis, -1 for what is dynamic."""
    dims = [size if isinstance(size, int) else -1 for size in tensor.shape[1:]]
    return {"name": tensor.name, "data_type": TYPES[tensor.dtype], "dims": dims}


def _configure_detection(config: Any, det: ModelProto) -> None:
    """Give `det_postprocess` the thresholds that its detector is known to want, if any."""
    for name in [name for name in config.parameters if name.startswith("det_")]:
        if (value := metadata(det).get(f"ppocr_{name}")) is not None:
            set_parameter(config, name, value)


def _configure_recognize(config: Any, networks: Mapping[str, ModelProto]) -> None:
    """Give `recognize` what it must know of the networks that it calls."""
    facts = metadata(networks["rec"])
    parameters = {
        "rec_name": facts["ppocr_name"],
        "rec_classes": facts["ppocr_classes"],
        "rec_height": facts["ppocr_height"],
    }
    if languages := _languages(networks["rec"]):
        parameters["languages"] = languages
    if "cls" in networks:
        parameters |= classifier_parameters(networks["cls"])
    if "page_orientation" in networks:
        parameters["page_orientation_size"] = metadata(networks["page_orientation"])["ppocr_height"]
    for name, value in parameters.items():
        set_parameter(config, name, value)


def _languages(rec: ModelProto) -> str:
    """What a recogniser reads, by PaddleOCR's codes; empty where that is not known."""
    known = catalogue().models.get(metadata(rec)["ppocr_name"])
    return ",".join(known.languages) if known else ""


def calls_of(rec: Any) -> str:
    """How many calls of `rec` are made at a time: every instance has work, and one call waits.

    The cores of the host say nothing: a container may have few of them.
    """
    return str(sum(group.count for group in rec.instance_group) + 1)


def _limit_tiles(configs: Configs) -> None:
    """Let no picture be read in more tiles than `det` takes in one run."""
    rows, parameters = configs["det"].max_batch_size, configs["det_preprocess"].parameters
    told = parameters["max_det_tiles"].string_value if "max_det_tiles" in parameters else ""
    if told.isdecimal() and 0 < rows < int(told):
        set_parameter(configs["det_preprocess"], "max_det_tiles", str(rows))


def _configure_calls(configs: Configs, plan: Plan) -> None:
    """Let `recognize` call `rec` as suits its engine and device, but for what it is told."""
    told, rec = plan.models.get("recognize", ModelPlan()).parameters, configs["rec"]
    spec = EngineSpec.read(rec)
    merged = rec.max_batch_size and rec.HasField("dynamic_batching")
    if merged or device_of(plan, "rec") == "gpu":
        calls = {"rec_buckets": FEW_WIDTHS}
    else:
        calls = dict(CALLS.get(spec.backend, {})) if spec is not None else {}
        calls["rec_calls"] = calls_of(rec)
    for name, value in calls.items():
        if name not in told:
            set_parameter(configs["recognize"], name, value)
