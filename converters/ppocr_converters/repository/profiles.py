"""Profiles: plans for a kind of machine, read from profiles.yml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from tritonclient.grpc.model_config_pb2 import ModelDynamicBatching, ModelInstanceGroup

from ppocr_converters.errors import RepositoryError
from ppocr_converters.repository.deployment_plan import MOST, ModelPlan, Plan, Shapes
from ppocr_engine.machine import available_cores
from ppocr_engine.parameters import LONE_RUN_THREADS
from ppocr_engine.spec import Accelerator, EngineSpec


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
    data = _tables()
    profiles: dict[str, dict[str, Any]] = data["profiles"]
    if name not in profiles:
        raise RepositoryError(f"no profile is called {name!r}; there are {', '.join(profiles)}")
    cores = available_cores() if cores is None else cores
    if not 1 <= cores <= MOST:
        raise RepositoryError(f"cores is {cores}; allowed: whole numbers from 1 to {MOST}")
    counts: dict[str, int] = {}
    for op, count in (concurrency or {}).items():
        if op not in data["ops"] or not 1 <= count <= MOST:
            allowed = f"the Ops are {', '.join(data['ops'])}, counts from 1 to {MOST}"
            raise RepositoryError(f"concurrency {op}={count}: {allowed}")
        counts |= dict.fromkeys(data["ops"][op], count)
    models = {
        model: _model_plan({**entry, "instances": counts.get(model, entry["instances"])}, cores)
        for model, entry in profiles[name].items()
    }
    return Plan(f"profile {name}", models, cores=cores)


def _model_plan(entry: Mapping[str, Any], cores: int) -> ModelPlan:
    count = cores if entry["instances"] == "cores" else entry["instances"]
    shapes = entry.get("shapes")
    parameters = dict(entry.get("parameters", {}))
    if (lone := min(cores, entry.get("lone_threads", 1))) > 1:
        parameters[LONE_RUN_THREADS] = lone
    return ModelPlan(
        instances=(ModelInstanceGroup(count=count, kind=entry.get("kind", "KIND_CPU")),),
        batching=ModelDynamicBatching(**entry["batching"]) if "batching" in entry else None,
        max_batch_size=entry.get("max_batch", 0),
        accelerators=tuple(
            Accelerator(one["device"], one["name"], _strings(one.get("parameters", {})))
            for one in entry.get("accelerators", ())
        ),
        engine=EngineSpec(entry["engine"], entry.get("precision", "fp32"))
        if "engine" in entry
        else None,
        file_precision=entry.get("file_precision", "fp32"),
        threads=entry.get("threads", 0),
        parameters=_strings(parameters),
        shapes=None
        if shapes is None
        else Shapes(tuple(shapes["batches"]), tuple(map(tuple, shapes.get("sides", ())))),
    )


def _strings(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def models_of_op(op: str) -> tuple[str, ...]:
    """The models that make up an Op ("det", "rec"); none of one that is not there."""
    return tuple(_tables()["ops"].get(op, ()))


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("profiles.yml").read_text("utf-8")
    tables: dict[str, Any] = yaml.safe_load(text)
    return tables
