"""Where a configuration is answered: the old ports, and Triton's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import ConfigError

#: The models that answer, by the Op that a service lacks, and the forms of their answers.
MODELS: dict[Kind | None, tuple[str, tuple[str, ...]]] = {
    None: ("ocr", ("result", "res", "dt_boxes")),
    "rec": ("detect", ("dt_boxes",)),
    "det": ("recognize", ("res", "result")),
}
ANSWERS = {
    "result": "key result of the old ports: texts, scores and boxes of the model {model}",
    "res": "key res of the old ports: a list of the texts of the model {model}, nothing else",
    "dt_boxes": "key dt_boxes of the old ports: the boxes of the model {model}",
}
TRITON_PORTS = ("http", "grpc", "metrics")


def missing_op(kinds: Collection[Kind]) -> Kind | None:
    """What a service of one Op lacks of det and rec."""
    both: tuple[Kind, ...] = ("det", "rec")
    return next((kind for kind in both if kind not in kinds), None)


def endpoints_of(document: Document, kinds: Collection[Kind]) -> dict[str, Any]:
    """The old endpoints, as fields of the server's `EndpointSettings`, of Ops of these kinds."""
    http, rpc = _serving_ports(document)
    model, forms = MODELS[missing_op(kinds)]
    if (answer := document["triton.answer"] or forms[0]) not in forms:
        raise ConfigError(
            f"triton.answer is {answer}; a service of {', '.join(kinds)} answers {', '.join(forms)}"
        )
    limits = [document[f"op.{name}.timeout"] for name in document.ops]
    retries = [f"op.{name}.retry" for name in document.ops]
    retries = [path if path in document.written else "dag.retry" for path in retries]
    return {
        "name": document["triton.service_name"],
        "host": document["triton.service_host"],
        "http_port": http,
        "rpc_port": rpc,
        "worker_num": document["worker_num"],
        "retry": max(document[path] for path in retries),
        "timeout_ms": sum(limits) if all(limit > 0 for limit in limits) else -1,
        "model": model,
        "answer": answer,
        "max_message_bytes": document["triton.max_message_bytes"],
        "max_picture_bytes": document["triton.max_image_bytes"],
    }


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
    ports |= {f"triton.{name}_port": port for name, port in triton_ports(document).items()}
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if port in seen:
            raise ConfigError(f"{seen[port]} and {name} are both {port}; they must differ")
        if port:  # 0 picks a free one
            seen[port] = name
    return http, rpc


def triton_ports(document: Document) -> dict[str, int]:
    """Triton's own ports by what they speak; 0 picks a free one."""
    return {name: document[f"triton.{name}_port"] for name in TRITON_PORTS}


def service_effects(document: Document, endpoints: Mapping[str, Any]) -> dict[str, str]:
    """What the keys of the whole service become, by path."""
    http, rpc = endpoints["http_port"], endpoints["rpc_port"]
    tries = endpoints["retry"]
    retry = "a failed request is not tried again"
    if tries > 1:
        retry = f"{tries} tries at the endpoints, the most of any Op, of the request as a whole"
    effects = {
        "rpc_port": f"gRPC endpoint on port {rpc}",
        "http_port": "no HTTP endpoint",
        "worker_num": f"{endpoints['worker_num']} requests in progress at the endpoints; more wait",
        "triton.answer": ANSWERS[endpoints["answer"]].format(model=endpoints["model"]),
        **dict.fromkeys(("dag.retry", *(f"op.{name}.retry" for name in document.ops)), retry),
    }
    if document["rpc_port"] is None:
        effects["rpc_port"] += ", which is http_port + 1"
    if http is not None:
        effects["http_port"] = f"HTTP endpoint POST /{endpoints['name']}/prediction on port {http}"
    if not document["dag.channel_size"]:
        effects["dag.channel_size"] = (
            "no limit of a queue, as there; only max_requests of admit bounds what waits"
        )
    return effects
