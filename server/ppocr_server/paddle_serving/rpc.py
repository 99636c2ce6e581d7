"""The gRPC endpoint: PipelineService.inference and gRPC's own health service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ppocr_server.access import Tls, admits
from ppocr_server.errors import PortInUseError
from ppocr_server.paddle_serving.pipeline_service_pb2 import DESCRIPTOR, Request, Response
from ppocr_server.paddle_serving.protocol import TOKEN_WANTED, too_long_for_a_picture
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import MARGIN_BYTES

SERVICE = DESCRIPTOR.services_by_name["PipelineService"].full_name
# What gRPC's health checks may ask for; "" is the whole server.
HEALTH_NAMES = ("", SERVICE)
HEALTH_PATH = f"/{health.SERVICE_NAME}/"


@contextlib.asynccontextmanager
async def rpc_endpoint(
    service: PipelineService, port: int, grace: float
) -> AsyncIterator[Callable[[bool], Awaitable[None]]]:
    """Answer over gRPC while the block runs; then requests in progress get `grace` seconds.

    Yields:
        What sets the answer to health checks, which is "not serving" at first.

    Raises:
        PortInUseError: the port is taken.
    """
    settings = service.settings
    server = grpc.aio.server(
        interceptors=[] if settings.token is None else [_TokenCheck(settings.token)],
        options=[
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", settings.max_message_bytes),
            # Otherwise two endpoints could share one port without an error.
            ("grpc.so_reuseport", 0),
        ],
    )
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_generic_rpc_handlers((_handlers(service),))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        if settings.tls is None:
            server.add_insecure_port(f"{host}:{port}")
        else:
            server.add_secure_port(f"{host}:{port}", _credentials(settings.tls))
    except RuntimeError as error:
        raise PortInUseError(
            f"cannot listen on {host}:{port} for the rpc endpoint: {error}; "
            "choose another port with --rpc-port"
        ) from error

    async def set_ready(ready: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in HEALTH_NAMES:
            await checks.set(name, status.SERVING if ready else status.NOT_SERVING)

    await set_ready(False)
    await server.start()
    try:
        yield set_ready
    finally:
        await checks.enter_graceful_shutdown()
        await server.stop(grace)


class _TokenCheck(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc is untyped
    """Refuses calls without the token before their message is read, except health checks."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        """Pass a call on, or answer it here."""
        sent = dict(details.invocation_metadata).get("authorization", "")
        if details.method.startswith(HEALTH_PATH) or admits(self._token, str(sent).encode()):
            return await continuation(details)
        # A handler for a stream, because that one does not read the message first.
        return grpc.stream_unary_rpc_method_handler(_refuse)


async def _refuse(messages: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, TOKEN_WANTED)


def _credentials(tls: Tls) -> Any:
    clients = tls.clients and tls.clients.read_bytes()
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())],
        root_certificates=clients,
        require_client_auth=clients is not None,
    )


def _handlers(service: PipelineService) -> Any:
    longest_picture = service.settings.max_picture_bytes
    # Pixels as numbers take up to two bytes each, base64 less.
    useful = 2 * longest_picture + MARGIN_BYTES

    def request_or_size(message: bytes) -> Any:
        # Refuse 200 MB before parsing, which would copy them twice.
        return Request.FromString(message) if len(message) <= useful else len(message)

    async def inference(request: Any, context: Any) -> Any:
        if isinstance(request, int):
            answer = too_long_for_a_picture(request, longest_picture)
        else:
            # A client that goes away cancels this, and with it the request at Triton.
            answer = await service.answer(request)
        return Response(**vars(answer))

    method = grpc.unary_unary_rpc_method_handler(
        inference,
        request_deserializer=request_or_size,
        response_serializer=Response.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"inference": method})
