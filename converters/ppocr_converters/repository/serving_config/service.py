"""From a configuration to a service: what is built, where it listens, and what was decided."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.admission import with_limit
from ppocr_converters.repository.build import BuildRequest, Built, build
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan
from ppocr_converters.repository.model_source import ModelChoice
from ppocr_converters.repository.profiles import models_of_op
from ppocr_converters.repository.serving_config.document import Document, read_document
from ppocr_converters.repository.serving_config.endpoints import (
    endpoints_of,
    missing_op,
    service_effects,
    triton_ports,
)
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.models import (
    DEFAULT_MODELS,
    MissingModelError,
    find_network,
    kind_of_op,
)
from ppocr_converters.repository.serving_config.op_effects import effects_of
from ppocr_converters.repository.serving_config.op_plans import plan_op, profile_of
from ppocr_converters.repository.serving_config.ops import Op, read_op, warnings_of
from ppocr_converters.repository.serving_config.origin import with_origin
from ppocr_converters.repository.serving_config.prototxt import check_fetch_list, read_prototxt
from ppocr_pipeline.batches import parse_buckets
from ppocr_pipeline.resize import parse_canvases

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """Everything that a config.yml becomes.

    Attributes:
        networks: what det, rec and cls are made from; those that are there.
        endpoints: the old ones, see `endpoints_of`.
        effects: what keys became in this very configuration, by path.
        warnings: what to know about a key, by path: what was done instead, or what to change.
        document: the configuration with the defaults of the service that it was.
    """

    plan: Plan
    networks: Mapping[Kind, ModelChoice]
    precisions: Mapping[str, str]
    ops: Mapping[str, Kind]
    endpoints: Mapping[str, Any]
    triton_ports: Mapping[str, int]
    document: Document
    effects: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)


def plan_service(document: Document, name: str = "config.yml") -> Service:
    """Work out what a configuration becomes; the name of its file is for messages.

    Raises:
        ConfigError: keys contradict each other, or name what does not exist.
    """
    kinds = _kinds(document)
    document, effects, told = with_origin(document, kinds)
    ops = {kind: read_op(document, op, kind) for kind, op in kinds.items()}
    _check_triton(document, ops)
    plans = {kind: plan_op(op) for kind, op in ops.items()}
    networks, unavailable = _networks(document, ops)
    warnings = dict(told)
    if (missing := missing_op(ops)) is not None:
        added = document[f"triton.{missing}_model"] or DEFAULT_MODELS[missing]
        warnings[f"triton.{missing}_model"] = (
            f"a service without an Op for {missing}: the repository is completed with {added}, one "
            f"instance, for Triton's own `ocr`"
        )
    endpoints = endpoints_of(document, ops)
    effects |= service_effects(document, endpoints)
    for kind, op in ops.items():
        effects |= effects_of(op, plans[kind])
        warnings |= warnings_of(op, plans[kind][kind].engine)
    warnings = _written_without_effect(document, effects) | warnings
    for kind, op in ops.items():
        if kind in networks:
            unchecked = _fetch_warnings(op, networks[kind])
            effects |= unchecked
            warnings |= unchecked
    return Service(
        plan=with_limit(
            Plan(name, _merge_models(document, ops, plans), tuple(unavailable)),
            document["triton.max_requests"],
        ),
        networks=networks,
        precisions={kind: op.file_precision for kind, op in ops.items()},
        ops={op.name: kind for kind, op in ops.items()},
        endpoints=endpoints,
        triton_ports=triton_ports(document),
        effects=effects,
        warnings=warnings,
        document=document,
    )


def load_service(path: Path, overrides: Sequence[str] = ()) -> Service:
    """Read a config.yml and work out what it becomes.

    Raises:
        ConfigError: it says something that is not allowed; file, key and value are named.
    """
    document = read_document(path, overrides)
    try:
        return plan_service(document, str(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def build_service(service: Service, work: Path, **more: Any) -> Built:
    """Build exactly what a configuration says; its warnings go to the log.

    `more` are fields of `BuildRequest` that no configuration decides.

    Raises:
        ConvertError: it asks for what cannot be built, or a step failed; `out` is as it was.
    """
    for path, text in service.warnings.items():
        logger.warning("%s: %s: %s", service.plan.name, path, text)
    precisions = service.precisions
    return build(
        BuildRequest(work, [service.networks], service.plan, precisions=precisions, **more)
    )


def _kinds(document: Document) -> dict[Kind, str]:
    """The Ops by what they do: one detects, one recognises, or one alone of these two."""
    kinds: dict[Kind, str] = {}
    for name in document.ops:
        kind = kind_of_op(document, name)
        if kind in kinds:
            raise ConfigError(f"op.{name} and op.{kinds[kind]} are both of kind {kind}")
        kinds[kind] = name
    if "rec" not in kinds and ("det" not in kinds or "cls" in kinds):
        written = ", ".join(document.ops) or "none"
        raise ConfigError(
            f"in op: {written}; allowed: an Op for det and one for rec, with or without cls, or "
            f"one of these two alone"
        )
    return kinds


def _networks(
    document: Document, ops: Mapping[Kind, Op]
) -> tuple[dict[Kind, ModelChoice], list[str]]:
    """The network of every Op, and of the one that is lacking; and which are not there."""
    names: dict[Kind, str | None] = {kind: op.name for kind, op in ops.items()}
    if (missing := missing_op(ops)) is not None:
        names[missing] = None
    networks: dict[Kind, ModelChoice] = {}
    unavailable = []
    for kind, name in names.items():
        try:
            networks[kind] = find_network(document, name, kind)
        except MissingModelError as error:
            unavailable.append(str(error))
    return networks, unavailable


def _check_triton(document: Document, ops: Mapping[Kind, Op]) -> None:
    """See that keys of the triton section go together with each other and with the Ops."""
    for name, parse in (("rec_buckets", parse_buckets), ("det_canvases", parse_canvases)):
        if (text := document[f"triton.{name}"]) is not None:
            try:
                parse(text)
            except ValueError as error:
                raise ConfigError(f"triton.{error}") from error
    if document["triton.orientation"] == "page":
        raise ConfigError(
            "triton.orientation is page; a config.yml has no Op for a page orientation network; "
            "allowed: off, or lines with an Op for cls"
        )
    asked = document["triton.use_angle_cls"]
    by_lines = document["triton.orientation"] == "lines"
    for wanted, key in ((asked, "use_angle_cls is true"), (by_lines, "orientation is lines")):
        if wanted and "cls" not in ops:
            raise ConfigError(f"triton.{key}; it needs an Op for cls, and op has none")
    if asked and by_lines:
        raise ConfigError(
            "triton.use_angle_cls is true, which asks for every line, and triton.orientation is "
            "lines, which asks for a few; leave one of them out"
        )


def _merge_models(
    document: Document, ops: Mapping[Kind, Op], plans: Mapping[Kind, Mapping[str, ModelPlan]]
) -> dict[str, ModelPlan]:
    """The plans of all models: the Ops' over their profile's, and the steps' own parameters."""
    models: dict[str, ModelPlan] = {}
    for kind, of_op in plans.items():
        base = profile_of(ops[kind]).models
        for name, plan in of_op.items():
            models[name] = _over(base[name], plan) if name in base else plan
    if (missing := missing_op(ops)) is not None:
        (present,) = set(ops) - {"cls"}
        completed = profile_of(ops[present], {missing: 1}).models
        models |= {name: completed[name] for name in models_of_op(missing)}
    parameters = {name: dict(plan.parameters) for name, plan in models.items()}
    for path, key in document.entries():
        for step in key.steps:
            if document[path] is not None and step in parameters:
                parameters[step][path.rsplit(".", 1)[-1]] = parameter_text(document[path])
    if "cls" in ops and document["triton.orientation"] == "off":
        parameters["recognize"].setdefault("use_angle_cls", parameter_text(True))
    return {name: replace(plan, parameters=parameters[name]) for name, plan in models.items()}


def _over(base: ModelPlan, plan: ModelPlan) -> ModelPlan:
    """A profile's plan with what an Op says put over it.

    How requests are merged is the Op's alone: without batch_size they are not. Where both name the
    same accelerator, its parameters are put together.
    """
    of_base = {one.name: one.parameters for one in base.accelerators}
    accelerators = tuple(
        replace(one, parameters={**of_base.get(one.name, {}), **one.parameters})
        for one in plan.accelerators
    )
    return replace(
        plan,
        max_batch_size=max(base.max_batch_size, plan.max_batch_size),
        engine=plan.engine or base.engine,
        accelerators=accelerators or base.accelerators,
        parameters={**base.parameters, **plan.parameters},
        shapes=base.shapes,
    )


def parameter_text(value: object) -> str:
    """A value as the steps read it from their configuration."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(str(entry) for entry in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _written_without_effect(document: Document, effects: Mapping[str, str]) -> dict[str, str]:
    """What was done instead, for keys that were written and have no exact equivalent."""
    return {
        path: effects.get(path, key.becomes)
        for path, key in document.entries()
        if path in document.written
        and key.effect != "exact"
        and document[path] not in (key.default, ())
        and effects.get(path) != "off"
    }


def _fetch_warnings(op: Op, network: ModelChoice) -> dict[str, str]:
    description = read_prototxt(Path(network.model))
    paths = [f"op.{op.name}.fetch_list", f"op.{op.name}.local_service_conf.fetch_list"]
    told = {path: check_fetch_list(path, op.document[path] or (), description) for path in paths}
    return {path: warning for path, warning in told.items() if warning is not None}
