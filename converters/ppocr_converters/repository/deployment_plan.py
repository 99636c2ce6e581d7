"""What a repository is built with: instances, devices, batching, queues and engine of every model.

Profiles, which profiles.yml holds, and configuration files both end in a `Plan`; `apply` writes a
model's part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

import yaml
from tritonclient.grpc.model_config_pb2 import ModelDynamicBatching, ModelInstanceGroup

from ppocr_converters.errors import RepositoryError
from ppocr_engine.config_pbtxt import set_parameter
from ppocr_engine.machine import available_cores
from ppocr_engine.parameters import LONE_RUN_THREADS
from ppocr_engine.spec import ONNXRUNTIME, Accelerator, Device, EngineSpec

MOST = 2**31 - 1  # that a count in Triton's configuration can be
#: Widths that repeat, for calls that are merged and engines that prepare themselves for each.
FEW_WIDTHS = "96-3200/32"

#: How `recognize` calls a recogniser on a CPU whose calls Triton does not merge, by its engine,
#: where that is not as its config.pbtxt has it: a call for each line, in widths of a time step.
#:
#: Both engines answer the same, bit for bit, in any batch (see `keep_rows_equal`).
#: ONNX Runtime reads a line no faster beside others, but each call costs a millisecond in the steps
#: and in Triton. Beyond 640 columns lines of PP-OCRv4 take up to 8 % longer in one call. A width
#: more costs it nothing: 1 to 6 % of the columns are padding, in FEW_WIDTHS 2 to 16 %.
#: OpenVINO keeps kernels for each width: a page of 40 lines cost 20 to 26 % less processor time in
#: calls of 4 lines of one width than of 1.
CALLS = {
    "onnxruntime": {"rec_batch_size": "4", "rec_batch_columns": "640"},
    "openvino": {"rec_batch_size": "4", "rec_buckets": FEW_WIDTHS},
}
#: Without it ONNX Runtime multiplies float32 with 10 bits of fraction on GPUs from Ampere on.
WHOLE_FLOAT32 = Accelerator("gpu", "cuda", {"use_tf32": "0"})


@dataclass(frozen=True)
class Shapes:
    """The shapes that a network on a GPU is prepared for, the smallest, the usual and the largest.

    Attributes:
        batches: rows.
        sides: of a detector's pictures, pixels, a range or more.
    """

    batches: tuple[int, int, int]
    sides: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class ModelPlan:
    """One model's part; whatever is left out stays as the model's own config.pbtxt has it.

    Attributes:
        instances: `ModelInstanceGroup`, one for each device.
        batching: `ModelDynamicBatching`, with its queue.
        max_batch_size: raised to this where it is lower; never lowered.
        engine: that runs the network; None for a step, and for a network that stays with its
            configuration's.
        file_precision: that the network's file is brought to, a name in precisions.yml.
        threads: of each instance of the network, 0 leaves the configuration's.
        graph_level: of ONNX Runtime's graph optimisation as Triton numbers it: 2 is off.
        accelerators: engines, most wanted first.
        parameters: entries of `parameters`.
        shapes: what engines are built for and warm-up runs; None for neither.
    """

    instances: tuple[Any, ...] = ()
    batching: Any = None
    max_batch_size: int = 0
    engine: EngineSpec | None = None
    file_precision: str = "fp32"
    threads: int = 0
    graph_level: int | None = None
    accelerators: tuple[Accelerator, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    shapes: Shapes | None = None

    @property
    def device(self) -> Device:
        """Where the instances run; the CPU where the plan does not say."""
        on_gpu = any(group.kind == ModelInstanceGroup.KIND_GPU for group in self.instances)
        return "gpu" if on_gpu else "cpu"

    @property
    def served_by(self) -> EngineSpec:
        """The engine and the threads that a network is served with."""
        return replace(self.engine or ONNXRUNTIME, threads=self.threads)

    @property
    def has_tensorrt(self) -> bool:
        """Whether a network runs by TensorRT inside ONNX Runtime."""
        return any(one.name == "tensorrt" for one in self.accelerators)


@dataclass(frozen=True)
class Plan:
    """The whole repository.

    Attributes:
        name: for messages: of the profile or the configuration file.
        unavailable: models that are named and not there, a sentence each.
        cores: of the machine that the instances were counted for, None where all are written out.
    """

    name: str
    models: Mapping[str, ModelPlan]
    unavailable: tuple[str, ...] = ()
    cores: int | None = None

    def __getitem__(self, model: str) -> ModelPlan:
        return self.models.get(model, ModelPlan())

    def with_model(self, model: str, **changes: Any) -> Plan:
        """The plan with other fields of one model."""
        return replace(self, models={**self.models, model: replace(self[model], **changes)})

    def with_parameter(self, model: str, name: str, value: object) -> Plan:
        """The plan with one more entry of a model's `parameters`; None leaves it as it is."""
        if value is None:
            return self
        return self.with_model(model, parameters={**self[model].parameters, name: str(value)})


def apply(config: Any, plan: ModelPlan) -> None:
    """Write a model's part of the plan into its `ModelConfig`."""
    if plan.instances:
        del config.instance_group[:]
    config.instance_group.extend(plan.instances)
    config.max_batch_size = max(config.max_batch_size, plan.max_batch_size)
    if plan.batching is not None:
        config.dynamic_batching.CopyFrom(plan.batching)
    for name, value in plan.parameters.items():
        set_parameter(config, name, value)
    spec = EngineSpec.read(config)
    if spec is None:  # a step
        return
    if plan.engine is not None and plan.engine.backend != spec.backend:
        spec = replace(plan.engine, threads=spec.threads)
    elif plan.engine is not None:
        spec = replace(spec, precision=plan.engine.precision)
    accelerators = (*spec.accelerators, *plan.accelerators)
    if spec.backend == "onnxruntime" and plan.device == "gpu":
        accelerators = (*accelerators, WHOLE_FLOAT32)
    level = spec.graph_level if plan.graph_level is None else plan.graph_level
    threads = plan.threads or spec.threads
    replace(spec, threads=threads, graph_level=level, accelerators=accelerators).write(config)
    if spec.backend == "openvino":
        _declare_whole_batches(config)


def _declare_whole_batches(config: Any) -> None:
    """Make the batch one of the dimensions of a network's tensors; nothing is merged then.

    With a `max_batch_size`, Triton's C++ backend for OpenVINO fixes the network's batch to it, and
    answers no request of fewer rows (`ProcessRequests` in openvino_backend's src/openvino.cc).
    """
    for port in (*config.input, *config.output) if config.max_batch_size else ():
        port.dims.insert(0, -1)
    config.max_batch_size = 0
    if config.HasField("dynamic_batching"):  # what is left is the queue
        del config.dynamic_batching.preferred_batch_size[:]
        config.dynamic_batching.max_queue_delay_microseconds = 0


def load_profile(
    name: str, concurrency: Mapping[str, int] | None = None, *, cores: int | None = None
) -> Plan:
    """Read a profile and work out its plan for a machine.

    Args:
        name: a profile of profiles.yml.
        concurrency: instances of an Op ("det", "rec") in place of the profile's.
        cores: of the machine that will serve; by default those that this process may use.

    Raises:
        RepositoryError: no such profile or Op, or a number that is not from 1 to `MOST`.
    """
    profiles, ops = _tables()["profiles"], _tables()["ops"]
    if name not in profiles:
        raise RepositoryError(f"no profile is called {name!r}; there are {', '.join(profiles)}")
    cores = available_cores() if cores is None else cores
    if not 1 <= cores <= MOST:
        raise RepositoryError(f"cores is {cores}; allowed: whole numbers from 1 to {MOST}")
    counts: dict[str, int] = {}
    for op, count in (concurrency or {}).items():
        if op not in ops or not 1 <= count <= MOST:
            allowed = f"the Ops are {', '.join(ops)}, counts from 1 to {MOST}"
            raise RepositoryError(f"concurrency {op}={count}: {allowed}")
        counts |= dict.fromkeys(ops[op], count)
    models = {
        model: _model_plan({**entry, "instances": counts.get(model, entry["instances"])}, cores)
        for model, entry in profiles[name].items()
    }
    return Plan(f"profile {name}", models, cores=cores)


def _model_plan(entry: Mapping[str, Any], cores: int) -> ModelPlan:
    count = cores if entry["instances"] == "cores" else entry["instances"]
    parameters = dict(entry.get("parameters", {}))
    if (lone := min(cores, entry.get("lone_threads", 1))) > 1:
        parameters[LONE_RUN_THREADS] = lone
    engine, shapes = None, None
    if "engine" in entry:
        engine = EngineSpec(entry["engine"], entry.get("precision", "fp32"))
    if found := entry.get("shapes"):
        shapes = Shapes(tuple(found["batches"]), tuple(map(tuple, found.get("sides", ()))))
    return ModelPlan(
        instances=(ModelInstanceGroup(count=count, kind=entry.get("kind", "KIND_CPU")),),
        batching=ModelDynamicBatching(**entry["batching"]) if "batching" in entry else None,
        max_batch_size=entry.get("max_batch", 0),
        engine=engine,
        file_precision=entry.get("file_precision", "fp32"),
        threads=entry.get("threads", 0),
        accelerators=tuple(
            Accelerator(one["device"], one["name"], _strings(one.get("parameters", {})))
            for one in entry.get("accelerators", ())
        ),
        parameters=_strings(parameters),
        shapes=shapes,
    )


def _strings(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def models_of_op(op: str) -> tuple[str, ...]:
    """The models that make up an Op ("det", "rec", "cls"), as its requests go through them."""
    return tuple(_tables()["ops"][op])


@cache
def _tables() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("profiles.yml").read_text("utf-8")
    tables: dict[str, Any] = yaml.safe_load(text)
    return tables
