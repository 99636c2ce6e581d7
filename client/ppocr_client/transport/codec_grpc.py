"""Operations as Triton's gRPC messages, and its messages as answers."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from tritonclient.grpc import service_pb2
from tritonclient.utils import deserialize_bytes_tensor, np_to_triton_dtype, triton_to_np_dtype

from ppocr_client.options import Value
from ppocr_client.transport.base import Infer, Operation, Query, Ready

QUERIES = {
    "server": ("ServerMetadata", service_pb2.ServerMetadataRequest),
    "config": ("ModelConfig", service_pb2.ModelConfigRequest),
    "statistics": ("ModelStatistics", service_pb2.ModelStatisticsRequest),
}
#: In bytes, what begins the field `raw_input_contents` of a ModelInferRequest: 7, of a length.
RAW_INPUT = bytes([7 << 3 | 2])


def encode(operation: Operation) -> tuple[str, Any]:
    """The gRPC method and its message; that of ModelInfer is serialized already."""
    if isinstance(operation, Ready):
        return "ModelReady", service_pb2.ModelReadyRequest(name=operation.model)
    if isinstance(operation, Query):
        method, kind = QUERIES[operation.what]
        return method, kind(name=operation.model) if operation.what == "config" else kind()
    message = service_pb2.ModelInferRequest(model_name=operation.model, id=operation.request_id)
    tensors = []
    for name, array in operation.inputs.items():
        message.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        tensors.append(_raw(array))
    for name, value in operation.parameters.items():
        setattr(message.parameters[name], _field(value), value)
    return "ModelInfer", with_tensors(message.SerializeToString(), *tensors)


def with_tensors(message: bytes, *tensors: Sequence[bytes]) -> bytes:
    """A serialized ModelInferRequest with the contents of its inputs, which are copied only once.

    Args:
        message: without contents; protobuf allows fields in any order.
        tensors: of each input its bytes, in pieces.
    """
    fields = [(RAW_INPUT, _varint(sum(map(len, pieces))), *pieces) for pieces in tensors]
    return b"".join([message, *(piece for field in fields for piece in field)])


def _varint(number: int) -> bytes:
    """A number as protobuf writes it: seven bits a byte, the lowest first."""
    groups = [number >> shift & 0x7F for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def decode(operation: Operation, message: Any) -> Any:
    """The answer to an operation."""
    if isinstance(operation, Ready):
        return bool(message.ready)
    if isinstance(operation, Infer):
        tensors = zip(message.outputs, message.raw_output_contents, strict=True)
        return {output.name: _array(output, raw) for output, raw in tensors}
    plain = json_format.MessageToDict(message, preserving_proto_field_name=True)
    # As HTTP answers it: the configuration itself.
    return plain["config"] if operation.what == "config" else plain


def _raw(array: npt.NDArray[Any]) -> Sequence[bytes]:
    if array.dtype == np.object_:
        return [piece for text in array.ravel() for piece in (struct.pack("<I", len(text)), text)]
    return (array.tobytes(),)


def _array(output: Any, raw: bytes) -> npt.NDArray[Any]:
    if output.datatype == "BYTES":
        return deserialize_bytes_tensor(raw).reshape(output.shape)
    return np.frombuffer(raw, triton_to_np_dtype(output.datatype)).reshape(output.shape)


def _field(value: Value) -> str:
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param"}
    return kinds[type(value)]
