"""From a configuration to a service: what is built, where it listens, and what was decided."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.build import BuildRequest, Built, build
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan, models_of_op
from ppocr_converters.repository.models import ModelChoice
from ppocr_converters.repository.serving_config.document import Document, expand, parse_document
from ppocr_converters.repository.serving_config.effects import effects_of, warnings_of
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
    check_fetch_lists,
    find_network,
    kind_of_op,
)
from ppocr_converters.repository.serving_config.ops import Op, plan_op, profile_of, read_op
from ppocr_converters.repository.serving_config.origin import with_origin
from ppocr_pipeline.batches import parse_buckets
from ppocr_pipeline.resize import parse_canvases

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """Everything that a config.yml becomes.

    Attributes:
        networks: what det, rec and cls are made from; those that are there.
        endpoints: the old ones, see `endpoints_of`.
        document: the configuration with the defaults of the service that it was.
        effects: what keys became in this very configuration, by path.
        warnings: what to know about a key, by path: what was done instead, or what to change.
    """

    plan: Plan
    networks: Mapping[Kind, ModelChoice]
    endpoints: Mapping[str, Any]
    triton_ports: Mapping[str, int]
    document: Document
    effects: Mapping[str, str]
    warnings: Mapping[str, str]


def load_service(path: Path, overrides: Sequence[str] = ()) -> Service:
    """Read a config.yml, with `KEY.OF.PATH=VALUE` in place of what it says, see `--opt`.

    Raises:
        ConfigError: it says something that is not allowed; file, key and value are named.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}") from error
    try:
        return plan_service(parse_document(text, path.resolve().parent, overrides), str(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def plan_service(document: Document, name: str = "config.yml") -> Service:
    """Work out what a configuration becomes; the name of its file is for messages."""
    kinds = _kinds(document)
    document, effects, warnings = with_origin(document, kinds)
    ops = {kind: read_op(document, op, kind) for kind, op in kinds.items()}
    _check_triton(document, ops)
    plans = {kind: plan_op(op) for kind, op in ops.items()}
    networks, unavailable = _networks(document, ops)
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
    for kind in [kind for kind in ops if kind in networks]:
        unchecked = check_fetch_lists(document, kinds[kind], networks[kind])
        effects |= unchecked
        warnings |= unchecked
    plan = Plan(name, _merge_models(document, ops, plans), tuple(unavailable))
    return Service(
        plan=plan.with_parameter("admit", "max_requests", document["triton.max_requests"]),
        networks=networks,
        endpoints=endpoints,
        triton_ports=triton_ports(document),
        document=document,
        effects=effects,
        warnings=warnings,
    )


def build_service(service: Service, work: Path, **more: Any) -> Built:
    """Build exactly what a configuration says; its warnings go to the log.

    `more` are fields of `BuildRequest` that no configuration decides.

    Raises:
        ConvertError: it asks for what cannot be built, or a step failed; `out` is as it was.
    """
    for path, text in service.warnings.items():
        logger.warning("%s: %s: %s", service.plan.name, path, text)
    return build(BuildRequest(work, [service.networks], service.plan, **more))


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
    """The plans of all models, those of an Op that is lacking too, with the steps' parameters."""
    models = {name: plan for of_op in plans.values() for name, plan in of_op.items()}
    if (missing := missing_op(ops)) is not None:
        (present,) = set(ops) - {"cls"}
        completed = profile_of(ops[present], {missing: 1})
        models |= {name: completed[name] for name in models_of_op(missing)}
    parameters = {name: dict(plan.parameters) for name, plan in models.items()}
    for path, key in expand(document.ops):
        for step in key.steps:
            if document[path] is not None and step in parameters:
                parameters[step][path.rpartition(".")[2]] = parameter_text(document[path])
    if "cls" in ops and document["triton.orientation"] == "off":
        parameters["recognize"].setdefault("use_angle_cls", "true")
    return {name: replace(plan, parameters=parameters[name]) for name, plan in models.items()}


def parameter_text(value: object) -> str:
    """A value as the steps read it from their configuration."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _written_without_effect(document: Document, effects: Mapping[str, str]) -> dict[str, str]:
    """What was done instead, for keys that were written and have no exact equivalent."""
    return {
        path: effects.get(path, key.becomes)
        for path, key in expand(document.ops)
        if path in document.written
        and key.effect != "exact"
        and document[path] not in (key.default, ())
        and effects.get(path) != "off"
    }
