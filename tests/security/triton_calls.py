"""Every request that Triton answers, by its group, as an attacker would send it."""

from collections.abc import Mapping
from typing import Any

import grpc
from cases import cases
from google.protobuf.message_factory import GetMessageClass
from serving import ask
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ppocr_client.transport.over_grpc import TRITON_PREFIX

# By group: method, path and body, as of version 2.51.
HTTP: Mapping[str, list[tuple[str, str, str]]] = cases(__file__)["http"]
METHODS = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods_by_name


def request_of(method: str) -> Any:
    """A request of a method, for the model or the region `small` if it is for one."""
    kind = METHODS[method].input_type
    names = {"name", "model_name"} & set(kind.fields_by_name)
    return GetMessageClass(kind)(**dict.fromkeys(names, "small"))


# By group: the methods of GRPCInferenceService, each with a request.
GRPC: Mapping[str, list[tuple[str, Any]]] = {
    group: [(method, request_of(method)) for method in methods]
    for group, methods in cases(__file__)["grpc"].items()
}
RESTRICTED = "is restricted, expecting header"


def ask_http(
    url: str, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Status and body of an answer; the path is sent as it is."""
    status, answer = ask(url, method, path, body, headers)
    return status, answer.decode(errors="replace")


def ask_grpc(
    channel: grpc.Channel, method: str, message: Any, headers: Mapping[str, str] | None = None
) -> str:
    """The reason of a refusal, "" for an answer."""
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
    try:
        getattr(stub, method)(message, timeout=20, metadata=list((headers or {}).items()))
    except grpc.RpcError as error:
        return str(error.details())
    return ""


def calls_of(api: str) -> list[str]:
    """All requests of a group."""
    return [*(path for _, path, _ in HTTP[api]), *(method for method, _ in GRPC[api])]


def refused(
    http_url: str, channel: grpc.Channel | None, api: str, headers: Mapping[str, str] | None = None
) -> list[str]:
    """The requests of a group that are refused for want of a header, over HTTP and gRPC.

    Args:
        http_url: "host:port".
        channel: to the same server; None to ask over HTTP only.
        api: the group.
        headers: to be sent, by their names in HTTP.
    """
    found = []
    for method, path, body in HTTP[api]:
        status, answer = ask_http(http_url, method, path, body, headers)
        assert (status == 403) == (RESTRICTED in answer), (path, status, answer)
        found += [path] * (status == 403)
    sent = {TRITON_PREFIX + name: value for name, value in (headers or {}).items()}
    for method, message in GRPC[api] if channel is not None else ():
        found += [method] * (RESTRICTED in ask_grpc(channel, method, message, sent))
    return found
