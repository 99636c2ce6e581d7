"""What a repository is built with: instances, devices, batching, queues and engine of every model.

Profiles and configuration files both end in a `Plan`; `apply` writes a model's part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

from ppocr_engine.config_pbtxt import set_parameter
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


#: Without it ONNX Runtime multiplies float32 with 10 bits of fraction on GPUs from Ampere on.
WHOLE_FLOAT32 = Accelerator("gpu", "cuda", {"use_tf32": "0"})


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


def with_parameter(plan: Plan, model: str, name: str, value: object) -> Plan:
    """The plan with one more entry of a model's `parameters`; None leaves it as it is."""
    if value is None:
        return plan
    planned = plan.models.get(model, ModelPlan())
    changed = replace(planned, parameters={**planned.parameters, name: str(value)})
    return replace(plan, models={**plan.models, model: changed})


def engine_of(plan: Plan, model: str) -> EngineSpec:
    """The engine and the threads that a network is served with."""
    planned = plan.models.get(model, ModelPlan())
    return replace(planned.engine or ONNXRUNTIME, threads=planned.threads)


def device_of(plan: Plan, model: str) -> Device:
    """Where a model's instances run; the CPU where the plan does not say."""
    planned = plan.models.get(model, ModelPlan())
    return "gpu" if _on_gpu(planned) else "cpu"


def _on_gpu(plan: ModelPlan) -> bool:
    return any(group.kind == ModelInstanceGroup.KIND_GPU for group in plan.instances)


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
    _apply_engine(config, plan)


def _apply_engine(config: Any, plan: ModelPlan) -> None:
    """Write the engine of a network; what the plan leaves out stays as the configuration has it."""
    spec = EngineSpec.read(config)
    if spec is None:
        return
    if plan.engine is not None and plan.engine.backend != spec.backend:
        spec = replace(plan.engine, threads=spec.threads)
    elif plan.engine is not None:
        spec = replace(spec, precision=plan.engine.precision)
    level = spec.graph_level if plan.graph_level is None else plan.graph_level
    accelerators = (*spec.accelerators, *plan.accelerators)
    if spec.backend == "onnxruntime" and _on_gpu(plan):
        accelerators = (*accelerators, WHOLE_FLOAT32)
    spec = replace(
        spec,
        threads=plan.threads or spec.threads,
        graph_level=level,
        accelerators=accelerators,
    )
    spec.write(config)
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
