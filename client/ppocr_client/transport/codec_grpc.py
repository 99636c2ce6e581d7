"""Operations as Triton's gRPC messages, and its messages as answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from tritonclient.grpc import InferResult, service_pb2
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from ppocr_client.options import Value
from ppocr_client.transport.base import Infer, Operation, Query, Ready, Register, Unregister
from ppocr_client.transport.shm_regions import SharedTensor

QUERIES = {
    "server": ("ServerMetadata", service_pb2.ServerMetadataRequest),
    "config": ("ModelConfig", service_pb2.ModelConfigRequest),
    "statistics": ("ModelStatistics", service_pb2.ModelStatisticsRequest),
    "memory": ("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest),
}


def encode(operation: Operation) -> tuple[str, Any]:
    """The gRPC method and its message."""
    if isinstance(operation, Ready):
        return "ModelReady", service_pb2.ModelReadyRequest(name=operation.model)
    if isinstance(operation, Query):
        method, kind = QUERIES[operation.what]
        return method, kind(name=operation.model) if operation.what == "config" else kind()
    if isinstance(operation, Register):
        return "SystemSharedMemoryRegister", service_pb2.SystemSharedMemoryRegisterRequest(
            name=operation.region, key=f"/{operation.region}", byte_size=operation.size
        )
    if isinstance(operation, Unregister):
        return "SystemSharedMemoryUnregister", service_pb2.SystemSharedMemoryUnregisterRequest(
            name=operation.region
        )
    message = service_pb2.ModelInferRequest(model_name=operation.model, id=operation.request_id)
    for name, array in operation.inputs.items():
        if isinstance(array, SharedTensor):
            shared = message.inputs.add(name=name, datatype="BYTES", shape=[1]).parameters
            shared["shared_memory_region"].string_param = array.region
            shared["shared_memory_byte_size"].int64_param = array.size
            continue
        message.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        message.raw_input_contents.append(_raw(array))
    for name, value in operation.parameters.items():
        setattr(message.parameters[name], _field(value), value)
    return "ModelInfer", message


def decode(operation: Operation, message: Any) -> Any:
    """The answer to an operation."""
    if isinstance(operation, Ready):
        return bool(message.ready)
    if isinstance(operation, Infer):
        result = InferResult(message)
        return {output.name: result.as_numpy(output.name) for output in message.outputs}
    if isinstance(operation, Register | Unregister):
        return None
    plain = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if operation.what == "memory":  # a map by name
        return list(plain.get("regions", {}).values())
    # As HTTP answers it: the configuration itself.
    return plain["config"] if operation.what == "config" else plain


def _raw(array: npt.NDArray[Any]) -> bytes:
    if array.dtype == np.object_:
        serialized: bytes = serialize_byte_tensor(array).item()
        return serialized
    return array.tobytes()


def _field(value: Value) -> str:
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param"}
    return kinds[type(value)]
