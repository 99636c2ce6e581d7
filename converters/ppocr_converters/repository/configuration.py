"""The config.pbtxt of every model of a set: the source's, with what networks and plan say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto

from ppocr_converters.catalogue.entries import catalogue
from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.compile import classifier_parameters
from ppocr_converters.graph.kinds import kind_of
from ppocr_converters.graph.onnx_model import inputs, metadata, outputs
from ppocr_converters.repository.deployment_plan import CALLS, FEW_WIDTHS, MOST, Plan, apply
from ppocr_converters.repository.shapes import Buckets, add_warmup, buckets_of, set_up_provider
from ppocr_engine.config_pbtxt import (
    TYPES,
    instance_count,
    read_config,
    read_parameters,
    set_parameter,
)
from ppocr_engine.spec import EngineSpec
from ppocr_engine.tensorrt_engines import this_machine
from ppocr_pipeline.batches import parse_buckets
from ppocr_pipeline.ctc import load_dictionary
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import OPTIONS
from ppocr_pipeline.pipeline import Network, Pipeline
from ppocr_pipeline.recognition import RecognitionPlan
from ppocr_pipeline.resize import NONE, parse_canvases

CONFIG = "config.pbtxt"
#: Networks that a repository can do without.
OPTIONAL = frozenset({"cls", "page_orientation"})
#: The steps that look at options and limits.
STEPS = ("det_preprocess", "det_postprocess", "recognize")
#: The step that lets requests in, and the steps that a picture goes through from there on.
DOOR, PIPELINE = "admit", ("det_preprocess", "det", "det_postprocess", "recognize")
#: Requests for each place in the pipeline, where nothing else is said: as many pictures as are in
#: progress may wait three times over.
REQUESTS_PER_PLACE = 4
#: Requests between the queue of a model with one instance and the pipeline: one in its hands, and
#: three that Triton has taken out of the queue for it.
BETWEEN = 4
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
    for name, config in configs.items():
        if missing := {step.model_name for step in config.ensemble_scheduling.step} - set(configs):
            raise RepositoryError(f"{name} needs {', '.join(sorted(missing))}, which is not there")
    if absent := (set(plan.models) | set(networks)) - set(present):
        raise RepositoryError(
            f"{plan.name} has {', '.join(sorted(absent))}, for which {source} has no configuration"
        )
    for name, model in networks.items():
        _declare_tensors(configs[name], model)
    _configure_steps(configs, networks)
    for name, config in configs.items():
        if name in plan.models:
            apply(config, plan.models[name])
    _configure_calls(configs, plan)
    _limit_tiles(configs)
    for name, buckets in served_buckets(configs, networks, plan).items():
        add_warmup(configs[name], inputs(networks[name]), buckets)
        if plan[name].has_tensorrt:
            set_up_provider(configs[name], buckets)
    limit_requests(configs)
    return configs


def read_configs(repository: Path) -> Configs:
    """The configuration of every model of a repository, sorted by name."""
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


def served_buckets(
    configs: Configs, networks: Mapping[str, ModelProto], plan: Plan
) -> dict[str, Buckets]:
    """The shapes of each network that the plan prepares shapes for."""
    widths, parameters = served_widths(configs), configs["det_preprocess"].parameters
    # Steps of the user's own may know nothing of canvases.
    told = parameters["det_canvases"].string_value if "det_canvases" in parameters else NONE
    try:
        canvases = parse_canvases(told)
    except ValueError as error:
        raise RepositoryError(str(error)) from error
    return {
        name: buckets_of(kind_of(model), inputs(model), shapes, widths, canvases)
        for name, model in networks.items()
        if (shapes := plan[name].shapes) is not None
    }


def _declare_tensors(config: Any, model: ModelProto) -> None:
    """Declare tensors as Triton has them: without the batch axis, -1 for what is dynamic."""
    for ports, tensors in ((config.input, inputs(model)), (config.output, outputs(model))):
        del ports[:]
        for tensor in tensors:
            dims = [size if isinstance(size, int) else -1 for size in tensor.shape[1:]]
            ports.add(name=tensor.name, data_type=TYPES[tensor.dtype], dims=dims)


def _configure_steps(configs: Configs, networks: Mapping[str, ModelProto]) -> None:
    """Give the steps what they must know of the networks."""
    det, rec = metadata(networks["det"]), metadata(networks["rec"])
    boxes, lines = configs["det_postprocess"], configs["recognize"]
    for name in [name for name in boxes.parameters if name.startswith("det_")]:
        if (wanted := det.get(f"ppocr_{name}")) is not None:  # a threshold of this detector's own
            set_parameter(boxes, name, wanted)
    for name in ("name", "classes", "height"):
        set_parameter(lines, f"rec_{name}", rec[f"ppocr_{name}"])
    if "cls" in networks:
        for name, value in classifier_parameters(networks["cls"]).items():
            set_parameter(lines, name, value)
    if "page_orientation" in networks:
        size = metadata(networks["page_orientation"])["ppocr_height"]
        set_parameter(lines, "page_orientation_size", size)
    known = catalogue().models.get(rec["ppocr_name"])
    languages = ",".join(known.languages) if known else ""  # by PaddleOCR's codes
    if languages:
        set_parameter(lines, "languages", languages)
    if DOOR in configs:
        set_parameter(configs[DOOR], "languages", languages)


def calls_of(rec: Any) -> str:
    """How many calls of `rec` are made at a time: every instance has work, and one call waits.

    The cores of the host say nothing: a container may have few of them.
    """
    return str(sum(group.count for group in rec.instance_group) + 1)


def _configure_calls(configs: Configs, plan: Plan) -> None:
    """Let `recognize` call `rec` as suits its engine and device, but for what it is told."""
    rec = configs["rec"]
    spec = EngineSpec.read(rec)
    merged = rec.max_batch_size and rec.HasField("dynamic_batching")
    if merged or plan["rec"].device == "gpu":
        calls = {"rec_buckets": FEW_WIDTHS}
    else:
        calls = dict(CALLS.get(spec.backend, {})) if spec is not None else {}
        calls["rec_calls"] = calls_of(rec)
    for name, value in calls.items():
        if name not in plan["recognize"].parameters:
            set_parameter(configs["recognize"], name, value)


def _limit_tiles(configs: Configs) -> None:
    """Let no picture be read in more tiles than `det` takes in one run."""
    rows, parameters = configs["det"].max_batch_size, configs["det_preprocess"].parameters
    told = parameters["max_det_tiles"].string_value if "max_det_tiles" in parameters else ""
    if told.isdecimal() and 0 < rows < int(told):
        set_parameter(configs["det_preprocess"], "max_det_tiles", str(rows))


def limit_requests(configs: Mapping[str, Any]) -> None:
    """Work out how many requests are taken at a time, and write it into `admit`, if there is one.

    So many may be in progress, and so many wait. The limit stands at the door: a picture that was
    let in is read to the end, and one that is refused has cost next to nothing.
    """
    config = configs.get(DOOR)
    if config is None:
        return
    steps = [configs[name] for name in PIPELINE]
    groups = [group for step in steps for group in step.instance_group]
    # A group of GPUs that lists none runs on all that the serving machine has.
    on_all = any(group.kind == group.KIND_GPU and not group.gpus for group in groups)
    gpus = len(this_machine().gpus) if on_all else 0
    places = sum(_places(step, gpus) for step in steps)
    told = config.parameters["max_requests"].string_value
    if told and not (told.isdecimal() and 1 <= int(told) <= MOST):
        raise RepositoryError(f"max_requests is {told!r}; allowed: whole numbers from 1 to {MOST}")
    limit = int(told or REQUESTS_PER_PLACE * places)
    places = min(places, limit)
    set_parameter(config, "max_requests", limit)
    set_parameter(config, "max_in_progress", places)
    queue = config.dynamic_batching.default_queue_policy
    queue.max_queue_size = max(1, limit - places - BETWEEN)


def _places(config: Any, gpus: int) -> int:
    """Pictures that a step can work on at a time, on a machine with so many GPUs."""
    instances = instance_count(config, gpus)
    merged = config.HasField("dynamic_batching")
    alone = list(config.dynamic_batching.preferred_batch_size) == [1]
    return instances * (max(1, config.max_batch_size) if merged and not alone else 1)


def served_pipeline(repository: Path, networks: Mapping[str, Network]) -> Pipeline:
    """The pipeline that a repository serves, around networks of any kind.

    Raises:
        RepositoryError: a configuration cannot be read, or has a value that is not allowed.
        ValueError: the dictionary is not what `build` writes.
    """
    steps = [read_parameters(repository / name / CONFIG) for name in STEPS]
    parameters = {name: value for step in steps for name, value in step.items()}
    classes = int(parameters["rec_classes"])
    dictionary = load_dictionary(repository / "recognize" / "1" / "dictionary.txt", classes)
    return pipeline_of(parameters, networks, dictionary)


def pipeline_of(
    parameters: Mapping[str, str], networks: Mapping[str, Network], characters: Sequence[str]
) -> Pipeline:
    """The pipeline of steps with these parameters; without "cls" lines upside down stay so."""
    without = {"cls": "cls_height", "page_orientation": "page_orientation_size"}
    left_out = {parameter for network, parameter in without.items() if network not in networks}
    parameters = {name: text for name, text in parameters.items() if name not in left_out}
    options = {name: text for name, text in parameters.items() if name in OPTIONS}
    try:
        plan = RecognitionPlan.from_parameters(parameters)
        limits = Limits.from_parameters(parameters)
        canvases = parse_canvases(parameters.get("det_canvases", NONE))
        return Pipeline(networks, plan, characters, options, limits, canvases)
    except ValueError as error:
        raise RepositoryError(f"the steps cannot be served so: {error}") from error
