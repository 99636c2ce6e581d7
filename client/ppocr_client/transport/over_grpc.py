"""Transports over gRPC, for threads and for an event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from tritonclient.grpc.service_pb2 import ModelInferResponse
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from ppocr_client.errors import OcrError, connection_error, error_of_status
from ppocr_client.transport.base import Access, Address, Operation, Tls
from ppocr_client.transport.codec_grpc import decode, encode

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


class GrpcTransport:
    """One gRPC channel; requests of several threads share it."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address = address
        self._headers = _metadata(access)
        self._channel = _open(grpc, address, access.tls, _credentials(address, access.tls))
        self._stub = stub_of(self._channel)

    def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        method, message = encode(operation)
        try:
            answer = getattr(self._stub, method)(message, timeout=timeout, metadata=self._headers)
        except grpc.RpcError as error:
            raise _error(error, self._address) from None
        return decode(operation, answer)

    def close(self) -> None:
        """See `Transport.close`."""
        self._channel.close()


class AsyncGrpcTransport:
    """One gRPC channel; it opens in the event loop of the first request."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address = address
        self._headers = _metadata(access)
        self._tls, self._credentials = access.tls, _credentials(address, access.tls)
        self._channel: Any = None

    async def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        if self._channel is None:
            self._channel = _open(grpc.aio, self._address, self._tls, self._credentials)
            self._stub = stub_of(self._channel)
        method, message = encode(operation)
        try:
            answer = await getattr(self._stub, method)(
                message, timeout=timeout, metadata=self._headers
            )
        except grpc.RpcError as error:
            raise _error(error, self._address) from None
        return decode(operation, answer)

    async def close(self) -> None:
        """See `Transport.close`."""
        if self._channel is not None:
            await self._channel.close()


def stub_of(channel: Any) -> Any:
    """The calls of Triton's service on a channel; ModelInfer takes a serialized message."""
    stub = GRPCInferenceServiceStub(channel)
    stub.ModelInfer = channel.unary_unary(
        INFER, response_deserializer=ModelInferResponse.FromString
    )
    return stub


def _metadata(access: Access) -> list[tuple[str, str]]:
    # gRPC, like HTTP/2, accepts lower-case names only.
    headers = {name.lower(): value for name, value in access.headers.items()}
    if (token := headers.get("authorization")) is not None:
        headers.setdefault(f"{TRITON_PREFIX}authorization", token)
    return list(headers.items())


def _credentials(address: Address, tls: Tls) -> Any:
    if not address.secure:
        return None
    tls.context()  # gRPC itself would tell of a bad file only when it connects, and not why
    read = [path and Path(path).read_bytes() for path in (tls.ca, tls.key, tls.certificate)]
    return grpc.ssl_channel_credentials(*read)


def _open(kind: Any, address: Address, tls: Tls, credentials: Any) -> Any:
    """A channel of the module `grpc` or `grpc.aio`; it connects when something is sent."""
    if credentials is None:
        return kind.insecure_channel(address.netloc, options=CHANNEL)
    named = [] if tls.name is None else [("grpc.ssl_target_name_override", tls.name)]
    return kind.secure_channel(address.netloc, credentials, options=[*CHANNEL, *named])


def _error(error: Any, address: Address) -> OcrError:
    status, reason = error.code().name, str(error.details())
    if status == "UNAVAILABLE" and reason.startswith(NOT_CONNECTED):
        return connection_error(str(address), reason)
    return error_of_status(status, f"{address}: {reason}" if status == "UNAVAILABLE" else reason)
