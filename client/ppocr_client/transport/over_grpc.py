"""Triton's gRPC service, for threads and for an event loop."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub
from tritonclient.utils import deserialize_bytes_tensor, np_to_triton_dtype, triton_to_np_dtype

from ppocr_client.errors import OcrError, connection_error, error_of_status
from ppocr_client.transport.base import Address, Infer, Operation, Query, Ready, Tls

INFER = "/inference.GRPCInferenceService/ModelInfer"
INT32_MAX = 2**31 - 1
# Triton expects the token under its own header name; a proxy in front of it, under HTTP's.
TRITON_PREFIX = "triton-grpc-protocol-"
# How gRPC itself, not the server, begins the details of UNAVAILABLE.
NOT_CONNECTED = ("failed to connect", "DNS resolution failed", "errors resolving")
CHANNEL = [
    # gRPC's default limit of 4 MB is smaller than a photo; the server's own limits explain more.
    ("grpc.max_send_message_length", INT32_MAX),
    ("grpc.max_receive_message_length", INT32_MAX),
    # A starting server is found within two seconds, not after gRPC's default of two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
QUERIES = {
    "server": ("ServerMetadata", service_pb2.ServerMetadataRequest),
    "config": ("ModelConfig", service_pb2.ModelConfigRequest),
    "statistics": ("ModelStatistics", service_pb2.ModelStatisticsRequest),
}
#: In bytes, what begins the field `raw_input_contents` of a ModelInferRequest: 7, of a length.
RAW_INPUT = bytes([7 << 3 | 2])
PARAMETER_FIELDS = {bool: "bool_param", int: "int64_param", str: "string_param"}


class GrpcTransport:
    """One gRPC channel, shared by all requests; in an event loop it opens with the first one."""

    def __init__(
        self, address: Address, headers: Mapping[str, str], tls: Tls, *, in_loop: bool
    ) -> None:
        self._address, self._tls, self._in_loop = address, tls, in_loop
        self._metadata = _metadata(headers)
        self._credentials = _credentials(address, tls)
        self._channel: Any = None
        if not in_loop:
            self._open()

    async def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        if self._channel is None:
            self._open()
        method, message = encode(operation)
        try:
            call = getattr(self._stub, method)
            answer = call(message, timeout=timeout, metadata=self._metadata)
            if self._in_loop:
                answer = await answer
        except grpc.RpcError as error:
            raise _error(error, self._address) from None
        return decode(operation, answer)

    async def close(self) -> None:
        """See `Transport.close`."""
        if self._channel is not None:
            closing = self._channel.close()
            if self._in_loop:
                await closing

    def _open(self) -> None:
        """Prepare the channel; it connects when something is sent."""
        kind = grpc.aio if self._in_loop else grpc
        options: list[tuple[str, int | str]] = [*CHANNEL]
        if self._credentials is None:
            self._channel = kind.insecure_channel(self._address.netloc, options=options)
        else:
            if self._tls.name is not None:
                options.append(("grpc.ssl_target_name_override", self._tls.name))
            self._channel = kind.secure_channel(
                self._address.netloc, self._credentials, options=options
            )
        self._stub = GRPCInferenceServiceStub(self._channel)
        # It takes a message that is serialized already.
        self._stub.ModelInfer = self._channel.unary_unary(
            INFER, response_deserializer=service_pb2.ModelInferResponse.FromString
        )


def encode(operation: Operation) -> tuple[str, Any]:
    """The gRPC method and its message; that of ModelInfer is serialized already."""
    if isinstance(operation, Ready):
        return "ModelReady", service_pb2.ModelReadyRequest(name=operation.model)
    if isinstance(operation, Query):
        method, kind = QUERIES[operation.what]
        return method, kind(name=operation.model) if operation.what == "config" else kind()
    message = service_pb2.ModelInferRequest(model_name=operation.model, id=operation.request_id)
    for name, array in operation.inputs.items():
        message.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
    for name, value in operation.parameters.items():
        setattr(message.parameters[name], PARAMETER_FIELDS[type(value)], value)
    # Protobuf allows fields in any order. The contents, appended here, are copied only once.
    written = [message.SerializeToString()]
    for array in operation.inputs.values():
        contents = _pieces(array)
        written += [RAW_INPUT, _varint(sum(map(len, contents))), *contents]
    return "ModelInfer", b"".join(written)


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


def _varint(number: int) -> bytes:
    """A number as protobuf writes it: seven bits a byte, the lowest first."""
    groups = [number >> shift & 0x7F for shift in range(0, max(1, number.bit_length()), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def _pieces(array: npt.NDArray[Any]) -> Sequence[bytes]:
    if array.dtype == np.object_:
        return [piece for text in array.ravel() for piece in (struct.pack("<I", len(text)), text)]
    return (array.tobytes(),)


def _array(output: Any, raw: bytes) -> npt.NDArray[Any]:
    if output.datatype == "BYTES":
        return deserialize_bytes_tensor(raw).reshape(output.shape)
    return np.frombuffer(raw, triton_to_np_dtype(output.datatype)).reshape(output.shape)


def _metadata(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    # gRPC, like HTTP/2, accepts lower-case names only.
    lower = {name.lower(): value for name, value in headers.items()}
    if (token := lower.get("authorization")) is not None:
        lower.setdefault(f"{TRITON_PREFIX}authorization", token)
    return list(lower.items())


def _credentials(address: Address, tls: Tls) -> Any:
    if not address.secure:
        return None
    tls.context()  # gRPC itself would tell of a bad file only when it connects, and not why
    read = [path and Path(path).read_bytes() for path in (tls.ca, tls.key, tls.certificate)]
    return grpc.ssl_channel_credentials(*read)


def _error(error: Any, address: Address) -> OcrError:
    status, reason = error.code().name, str(error.details())
    if status == "UNAVAILABLE" and reason.startswith(NOT_CONNECTED):
        return connection_error(str(address), reason)
    return error_of_status(status, f"{address}: {reason}" if status == "UNAVAILABLE" else reason)
