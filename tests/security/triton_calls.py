"""Every request that Triton answers, by its group, as an attacker would send it."""

from collections.abc import Mapping
from typing import Any

import grpc
from cases import cases
from serving import ask
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ppocr_client.transport.over_grpc import TRITON_PREFIX

# By group: method, path and body, as of version 2.51.
HTTP: Mapping[str, list[tuple[str, str, str]]] = cases(__file__)["http"]
# By group: the methods of GRPCInferenceService.
GRPC: Mapping[str, list[tuple[str, Any]]] = {
    "model-repository": [
        ("RepositoryIndex", service_pb2.RepositoryIndexRequest()),
        ("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name="small")),
        ("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name="small")),
    ],
    "trace": [("TraceSetting", service_pb2.TraceSettingRequest())],
    "logging": [("LogSettings", service_pb2.LogSettingsRequest())],
    "shared-memory": [
        ("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest()),
        (
            "SystemSharedMemoryRegister",
            service_pb2.SystemSharedMemoryRegisterRequest(name="x", key="/x", byte_size=8),
        ),
        ("SystemSharedMemoryUnregister", service_pb2.SystemSharedMemoryUnregisterRequest()),
        ("CudaSharedMemoryStatus", service_pb2.CudaSharedMemoryStatusRequest()),
        ("CudaSharedMemoryRegister", service_pb2.CudaSharedMemoryRegisterRequest(name="x")),
        ("CudaSharedMemoryUnregister", service_pb2.CudaSharedMemoryUnregisterRequest()),
    ],
    "model-config": [("ModelConfig", service_pb2.ModelConfigRequest(name="small"))],
    "statistics": [("ModelStatistics", service_pb2.ModelStatisticsRequest())],
    "metadata": [
        ("ServerMetadata", service_pb2.ServerMetadataRequest()),
        ("ModelMetadata", service_pb2.ModelMetadataRequest(name="small")),
    ],
    "inference": [("ModelInfer", service_pb2.ModelInferRequest(model_name="small"))],
    "health": [
        ("ServerLive", service_pb2.ServerLiveRequest()),
        ("ServerReady", service_pb2.ServerReadyRequest()),
        ("ModelReady", service_pb2.ModelReadyRequest(name="small")),
    ],
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
