"""Requests as Triton's gRPC messages, and its messages as answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from tritonclient.grpc import InferResult, service_pb2
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from ppocr_client.options import Value
from ppocr_client.transport.base import Infer, Look, Ready, Register, Request, Unregister
from ppocr_client.transport.shared_memory import Shared

LOOKS = {
    "server": ("ServerMetadata", service_pb2.ServerMetadataRequest),
    "config": ("ModelConfig", service_pb2.ModelConfigRequest),
    "statistics": ("ModelStatistics", service_pb2.ModelStatisticsRequest),
    "memory": ("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest),
}


def encode(request: Request) -> tuple[str, Any]:
    """The name of the method to call, and its message."""
    if isinstance(request, Ready):
        return "ModelReady", service_pb2.ModelReadyRequest(name=request.model)
    if isinstance(request, Look):
        method, kind = LOOKS[request.what]
        return method, kind(name=request.model) if request.what == "config" else kind()
    if isinstance(request, Register):
        return "SystemSharedMemoryRegister", service_pb2.SystemSharedMemoryRegisterRequest(
            name=request.region, key=f"/{request.region}", byte_size=request.size
        )
    if isinstance(request, Unregister):
        return "SystemSharedMemoryUnregister", service_pb2.SystemSharedMemoryUnregisterRequest(
            name=request.region
        )
    message = service_pb2.ModelInferRequest(model_name=request.model)
    for name, array in request.inputs.items():
        if isinstance(array, Shared):
            shared = message.inputs.add(name=name, datatype="BYTES", shape=[1]).parameters
            shared["shared_memory_region"].string_param = array.region
            shared["shared_memory_byte_size"].int64_param = array.size
            continue
        message.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        message.raw_input_contents.append(_raw(array))
    for name, value in request.parameters.items():
        setattr(message.parameters[name], _field(value), value)
    return "ModelInfer", message


def decode(request: Request, message: Any) -> Any:
    """The answer to a request."""
    if isinstance(request, Ready):
        return bool(message.ready)
    if isinstance(request, Infer):
        result = InferResult(message)
        return {output.name: result.as_numpy(output.name) for output in message.outputs}
    if isinstance(request, Register | Unregister):
        return None
    plain = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if request.what == "memory":  # a map by name
        return list(plain.get("regions", {}).values())
    # HTTP answers the configuration itself.
    return plain["config"] if request.what == "config" else plain


def _raw(array: npt.NDArray[Any]) -> bytes:
    if array.dtype == np.object_:
        serialized: bytes = serialize_byte_tensor(array).item()
        return serialized
    return array.tobytes()


def _field(value: Value) -> str:
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param"}
    return kinds[type(value)]
