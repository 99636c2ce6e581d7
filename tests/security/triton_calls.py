"""Every request that Triton answers, by its group, as an attacker would send it."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

REGION = '{"key": "/x", "offset": 0, "byte_size": 8}'
# By group: method, path and body, as of version 2.51.
HTTP: Mapping[str, list[tuple[str, str, str]]] = {
    "model-repository": [
        ("POST", "/v2/repository/index", ""),
        ("POST", "/v2/repository/models/small/load", ""),
        ("POST", "/v2/repository/models/small/unload", ""),
    ],
    "trace": [
        ("GET", "/v2/trace/setting", ""),
        ("POST", "/v2/trace/setting", '{"trace_level": ["TIMESTAMPS"]}'),
        ("GET", "/v2/models/small/trace/setting", ""),
        ("POST", "/v2/models/small/trace/setting", '{"trace_rate": "1"}'),
    ],
    "logging": [("GET", "/v2/logging", ""), ("POST", "/v2/logging", '{"log_verbose_level": 1}')],
    "shared-memory": [
        ("GET", "/v2/systemsharedmemory/status", ""),
        ("GET", "/v2/systemsharedmemory/region/x/status", ""),
        ("POST", "/v2/systemsharedmemory/region/x/register", REGION),
        ("POST", "/v2/systemsharedmemory/region/x/unregister", ""),
        ("POST", "/v2/systemsharedmemory/unregister", ""),
        ("GET", "/v2/cudasharedmemory/status", ""),
        ("POST", "/v2/cudasharedmemory/region/x/register", "{}"),
        ("POST", "/v2/cudasharedmemory/unregister", ""),
    ],
    "model-config": [("GET", "/v2/models/small/config", "")],
    "statistics": [("GET", "/v2/models/stats", ""), ("GET", "/v2/models/small/stats", "")],
    "metadata": [("GET", "/v2", ""), ("GET", "/v2/models/small", "")],
    "inference": [
        ("POST", "/v2/models/small/infer", "{}"),
        ("POST", "/v2/models/small/versions/1/infer", "{}"),
        ("POST", "/v2/models/small/generate", "{}"),
        ("POST", "/v2/models/small/generate_stream", "{}"),
    ],
    "health": [
        ("GET", "/v2/health/live", ""),
        ("GET", "/v2/health/ready", ""),
        ("GET", "/v2/models/small/ready", ""),
    ],
}
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
    connection = http.client.HTTPConnection(url, timeout=20)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


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


def is_refused_http(answer: tuple[int, str]) -> bool:
    return answer[0] == 403 and RESTRICTED in answer[1]
