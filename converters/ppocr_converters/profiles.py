"""Profiles: plans for a kind of machine, read from profiles.yml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from ppocr_converters.errors import RepositoryError
from ppocr_converters.plan import Instances, ModelPlan, Plan


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_profile(
    name: str, concurrency: Mapping[str, int] | None = None, *, cores: int | None = None
) -> Plan:
    """Read a profile and work out its plan for a machine.

    Args:
        name: a profile of profiles.yml.
        concurrency: instances of an Op ("det", "rec") in place of the profile's.
        cores: of the machine that will serve; by default those available here.

    Raises:
        RepositoryError: no such profile or Op, or a count below 1.
    """
    data = _tables()
    profiles: dict[str, dict[str, Any]] = data["profiles"]
    if name not in profiles:
        raise RepositoryError(f"no profile is called {name!r}; there are {', '.join(profiles)}")
    entry = profiles[name]
    cores = available_cores() if cores is None else cores
    instances = {m: cores if c == "cores" else c for m, c in entry["instances"].items()}
    for op, count in (concurrency or {}).items():
        if op not in data["ops"] or count < 1:
            allowed = ", ".join(data["ops"])
            raise RepositoryError(f"concurrency {op}={count}: the Ops are {allowed}, counts from 1")
        instances |= dict.fromkeys(data["ops"][op], count)
    parameters = entry["parameters"]
    models = {
        model: ModelPlan(
            instances=(Instances(count, entry["kind"]),),
            parameters={k: str(v) for k, v in parameters.get(model, {}).items()},
        )
        for model, count in instances.items()
    }
    return Plan(f"profile {name}", models)


def models_of_op(op: str) -> tuple[str, ...]:
    """The models that make up an Op ("det", "rec"); none of one that is not there."""
    return tuple(_tables()["ops"].get(op, ()))


def _tables() -> dict[str, Any]:
    text = resources.files("ppocr_converters").joinpath("profiles.yml").read_text("utf-8")
    tables: dict[str, Any] = yaml.safe_load(text)
    return tables
