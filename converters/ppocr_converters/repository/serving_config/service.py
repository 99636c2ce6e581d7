"""From a configuration to a service: what is built, where it listens, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.admission import with_limit
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.models import Network, find_network, kind_of_op
from ppocr_converters.repository.serving_config.op_plans import OpPlan, plan_op, profile_of
from ppocr_converters.repository.serving_config.ops import Op, read_op
from ppocr_converters.repository.serving_config.prototxt import check_fetch_list
from ppocr_pipeline.batches import parse_buckets
from ppocr_pipeline.resize import parse_canvases


@dataclass(frozen=True)
class Endpoints:
    """The old endpoints.

    Attributes:
        name: of the service, as in POST /NAME/prediction.
        host: address they listen on.
        http_port: None without HTTP.
        rpc_port: of gRPC.
        in_progress: requests that are worked on at a time; more wait.
        tries: of a request that fails, 1 is no retry.
        deadline_s: of a request in seconds, None without one.
        max_message_bytes: of one request.
        max_picture_bytes: of one encoded picture.
        tracer_interval_s: seconds between two blocks of statistics, None for none.
        profile: whether a timeline is collected.
    """

    name: str
    host: str
    http_port: int | None
    rpc_port: int
    in_progress: int
    tries: int
    deadline_s: float | None
    max_message_bytes: int
    max_picture_bytes: int
    tracer_interval_s: int | None
    profile: bool


@dataclass(frozen=True)
class TritonPorts:
    """Where Triton itself listens; port 0 picks a free one."""

    host: str
    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True)
class Service:
    """Everything that a config.yml becomes.

    Attributes:
        plan: of the model repository.
        networks: what det, rec and cls are made from.
        precisions: what each is converted to.
        ops: what each Op of the file is, by its name.
        endpoints: the old ones.
        triton: Triton's own.
        effects: what keys became in this very configuration, by path.
        warnings: what to know about a key, by path: what was done instead, or what to change.
    """

    plan: Plan
    networks: Mapping[Kind, Network]
    precisions: Mapping[str, str]
    ops: Mapping[str, Kind]
    endpoints: Endpoints
    triton: TritonPorts
    effects: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)


def plan_service(document: Document, name: str = "config.yml") -> Service:
    """Work out what a configuration becomes.

    Args:
        document: the configuration.
        name: of the file, for messages.

    Raises:
        ConfigError: keys contradict each other, or name what does not exist.
    """
    ops = _ops(document)
    _check_triton(document, ops)
    plans = {kind: plan_op(document, op) for kind, op in ops.items()}
    networks = {kind: find_network(document, op.name, kind) for kind, op in ops.items()}
    warnings = _written_without_effect(document)
    effects: dict[str, str] = {}
    for op_plan in plans.values():
        effects |= op_plan.effects
        warnings |= op_plan.warnings
    precisions: dict[str, str] = {kind: op_plan.precision for kind, op_plan in plans.items()}
    for kind, op in ops.items():
        warnings |= _fetch_warnings(document, op.name, networks[kind])
    return Service(
        plan=with_limit(
            Plan(name, _merge_models(document, ops, plans)),
            document["triton.max_requests"],
        ),
        networks=networks,
        precisions=precisions,
        ops={op.name: kind for kind, op in ops.items()},
        endpoints=_endpoints(document),
        triton=_triton(document),
        effects=effects | _port_effects(document),
        warnings=warnings,
    )


def _ops(document: Document) -> dict[Kind, Op]:
    """The Ops by what they do; exactly one detects and one recognises."""
    ops: dict[Kind, Op] = {}
    for name in document.ops:
        kind = kind_of_op(document, name)
        if kind in ops:
            raise ConfigError(f"op.{name} and op.{ops[kind].name} are both of kind {kind}")
        ops[kind] = read_op(document, name, kind)
    missing = [kind for kind in ("det", "rec") if kind not in ops]
    if missing:
        written = ", ".join(document.ops) or "none"
        raise ConfigError(
            f"the OCR service needs an Op for {' and one for '.join(missing)}; in op: {written}"
        )
    return ops


def _check_triton(document: Document, ops: Mapping[Kind, Op]) -> None:
    """See that keys of the triton section go together with each other and with the Ops."""
    for name, parse in (("rec_buckets", parse_buckets), ("det_canvases", parse_canvases)):
        if (text := document[f"triton.{name}"]) is not None:
            try:
                parse(text)
            except ValueError as error:
                raise ConfigError(f"triton.{error}") from error
    if document["triton.use_angle_cls"] and "cls" not in ops:
        raise ConfigError("triton.use_angle_cls is true; it needs an Op for cls, and op has none")


def _merge_models(
    document: Document, ops: Mapping[Kind, Op], plans: Mapping[Kind, OpPlan]
) -> dict[str, ModelPlan]:
    """The plans of all models: the Ops' over their profile's, and the steps' own parameters."""
    models: dict[str, ModelPlan] = {}
    for kind, op_plan in plans.items():
        base = profile_of(document, ops[kind]).models
        for name, plan in op_plan.models.items():
            models[name] = _over(base[name], plan) if name in base else plan
    parameters = {name: dict(plan.parameters) for name, plan in models.items()}
    for path, key in document.entries():
        for step in key.steps:
            if document[path] is not None and step in parameters:
                parameters[step][path.rsplit(".", 1)[-1]] = parameter_text(document[path])
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


def _endpoints(document: Document) -> Endpoints:
    http, rpc = _serving_ports(document)
    ops = [f"op.{name}" for name in document.ops]
    limits = [document[f"{op}.timeout"] for op in ops]
    retries = [
        document[f"{op}.retry" if f"{op}.retry" in document.written else "dag.retry"] for op in ops
    ]
    interval = document["dag.tracer.interval_s"]
    return Endpoints(
        name=document["triton.service_name"],
        host=document["triton.service_host"],
        http_port=http,
        rpc_port=rpc,
        in_progress=document["worker_num"],
        tries=max(retries),
        deadline_s=sum(limits) / 1000 if all(limit > 0 for limit in limits) else None,
        max_message_bytes=document["triton.max_message_bytes"],
        max_picture_bytes=document["triton.max_image_bytes"],
        tracer_interval_s=interval if interval > 0 else None,
        profile=document["dag.use_profile"],
    )


def _serving_ports(document: Document) -> tuple[int | None, int]:
    """The ports of the old endpoints, HTTP and gRPC, by Paddle Serving's three rules."""
    http, rpc = document["http_port"], document["rpc_port"]
    if http is None and rpc is None:
        raise ConfigError("http_port and rpc_port are both empty; one of them is needed")
    if rpc is None:
        rpc = http + 1
        if rpc > 65535:
            raise ConfigError("rpc_port is empty, so it would be http_port + 1 = 65536; set it")
    ports = {"http_port": http, "rpc_port": rpc}
    ports |= {name: document[name] or None for name in TRITON_PORTS}
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if port is not None and port in seen:
            raise ConfigError(f"{seen[port]} and {name} are both {port}; they must differ")
        if port is not None:
            seen[port] = name
    return http, rpc


TRITON_PORTS = ("triton.http_port", "triton.grpc_port", "triton.metrics_port")


def _port_effects(document: Document) -> dict[str, str]:
    http, rpc = _serving_ports(document)
    effects = {"rpc_port": f"gRPC endpoint on port {rpc}", "http_port": "no HTTP endpoint"}
    if document["rpc_port"] is None:
        effects["rpc_port"] += ", which is http_port + 1"
    if http is not None:
        name = document["triton.service_name"]
        effects["http_port"] = f"HTTP endpoint POST /{name}/prediction on port {http}"
    return effects


def _triton(document: Document) -> TritonPorts:
    http, grpc, metrics = (document[name] for name in TRITON_PORTS)
    return TritonPorts(document["triton.host"], http, grpc, metrics)


def _written_without_effect(document: Document) -> dict[str, str]:
    """What was done instead, for keys that were written and have no exact equivalent."""
    return {
        path: key.becomes
        for path, key in document.entries()
        if path in document.written and key.effect != "exact" and document[path] != key.default
    }


def _fetch_warnings(document: Document, op: str, network: Network) -> dict[str, str]:
    warnings = {}
    for path in (f"op.{op}.fetch_list", f"op.{op}.local_service_conf.fetch_list"):
        warning = check_fetch_list(path, document[path] or (), network.description)
        if warning is not None:
            warnings[path] = warning
    return warnings
