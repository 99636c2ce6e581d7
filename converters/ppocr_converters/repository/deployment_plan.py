"""What a repository is built with: instances, devices, batching, queues and engine of every model.

Profiles and configuration files both end in a `Plan`; `apply` writes a model's part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ppocr_converters.errors import RepositoryError
from ppocr_converters.repository.engine import Engine, set_engine, set_threads

Kind = Literal["KIND_CPU", "KIND_GPU"]
Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Instances:
    """Instances on one device: the CPU, or each of the GPUs given."""

    count: int
    kind: Kind = "KIND_CPU"
    gpus: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """Instances on all of the devices together."""
        return self.count * max(1, len(self.gpus))


@dataclass(frozen=True)
class Batching:
    """How requests are merged, and how long they may wait.

    Attributes:
        preferred_sizes: rows; (1,) keeps requests apart, () merges what waits.
        delay_us: how long a batch waits to reach a preferred size, microseconds.
        max_queue_size: requests; 0 is without limit.
        timeout_us: after which a waiting request is rejected, microseconds; 0 is never.
    """

    preferred_sizes: tuple[int, ...] = ()
    delay_us: int = 0
    max_queue_size: int = 0
    timeout_us: int = 0


@dataclass(frozen=True)
class Accelerator:
    """An engine that runs a network in place of ONNX Runtime's own kernels, where it can."""

    device: Device
    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


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
        instances: one entry for each device.
        batching: dynamic batching with its queue.
        max_batch_size: raised to this where it is lower; never lowered.
        engines: that may run the network, the nearest to the reference first; the build chooses.
            None for a step, and for a network that stays with its configuration's.
        threads: of each instance of the network, 0 leaves the configuration's.
        graph_level: of ONNX Runtime's graph optimisation as Triton numbers it: 2 is off.
        accelerators: engines, most wanted first.
        parameters: entries of `parameters`.
        shapes: what engines are built for and warm-up runs; None for neither.
    """

    instances: tuple[Instances, ...] = ()
    batching: Batching | None = None
    max_batch_size: int = 0
    engines: tuple[Engine, ...] = ()
    threads: int = 0
    graph_level: int | None = None
    accelerators: tuple[Accelerator, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    shapes: Shapes | None = None


@dataclass(frozen=True)
class Plan:
    """The whole repository.

    Attributes:
        name: for messages: of the profile or the configuration file.
        models: by the name under which Triton serves them.
        unavailable: what was asked for and cannot be built, a sentence each.
    """

    name: str
    models: Mapping[str, ModelPlan]
    unavailable: tuple[str, ...] = ()


def refuse_unavailable(plan: Plan) -> None:
    """See that everything in a plan can be built.

    Raises:
        RepositoryError: with the plan's own sentences.
    """
    if plan.unavailable:
        raise RepositoryError(f"{plan.name} cannot be built: " + "; ".join(plan.unavailable))


def settle(plan: Plan, chosen: Mapping[str, Engine]) -> Plan:
    """The plan with one engine for each network that has several to choose from.

    Args:
        plan: with engines to choose from.
        chosen: by the network's name.
    """
    models = {
        name: replace(model, engines=(chosen[name],)) if name in chosen else model
        for name, model in plan.models.items()
    }
    return replace(plan, models=models)


def device_of(plan: Plan, model: str) -> Device:
    """Where a model's instances run; the CPU where the plan does not say."""
    planned = plan.models.get(model, ModelPlan())
    return "gpu" if any(group.kind == "KIND_GPU" for group in planned.instances) else "cpu"


def apply(config: Any, plan: ModelPlan) -> None:
    """Write a model's part of the plan into its `ModelConfig`.

    Raises:
        RepositoryError: there is still more than one engine to choose from.
    """
    if plan.instances:
        del config.instance_group[:]
    for group in plan.instances:
        config.instance_group.add(kind=group.kind, count=group.count, gpus=group.gpus)
    config.max_batch_size = max(config.max_batch_size, plan.max_batch_size)
    if plan.batching is not None:
        _apply_batching(config, plan.batching)
    if plan.graph_level is not None:
        config.optimization.graph.level = plan.graph_level
    accelerators = config.optimization.execution_accelerators
    for accelerator in plan.accelerators:
        added = getattr(accelerators, f"{accelerator.device}_execution_accelerator").add()
        added.name = accelerator.name
        added.parameters.update(accelerator.parameters)
    for name, value in plan.parameters.items():
        config.parameters[name].string_value = value
    if not plan.engines:
        set_threads(config, plan.threads)
        return
    if len(plan.engines) > 1:
        names = ", ".join(map(str, plan.engines))
        raise RepositoryError(f"the engine of {config.name} has not been chosen among {names}")
    set_engine(config, plan.engines[0], plan.threads)


def _apply_batching(config: Any, batching: Batching) -> None:
    config.ClearField("dynamic_batching")
    target = config.dynamic_batching
    target.SetInParent()
    target.preferred_batch_size.extend(batching.preferred_sizes)
    target.max_queue_delay_microseconds = batching.delay_us
    if batching.max_queue_size or batching.timeout_us:
        policy = target.default_queue_policy  # its timeout_action is REJECT unless set
        policy.max_queue_size = batching.max_queue_size
        policy.default_timeout_microseconds = batching.timeout_us
