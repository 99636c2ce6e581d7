"""Run an ASGI application on a port with uvicorn, in a shared event loop."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from ppocr_server.access import Tls

BACKLOG = 2048
# Balancers and old clients expect idle connections to last this long.
KEEP_ALIVE_SECONDS = 75


def _certificates(tls: Tls) -> dict[str, Any]:
    """Certificates as arguments for uvicorn."""
    return {
        "ssl_certfile": tls.certificate,
        "ssl_keyfile": tls.key,
        "ssl_ca_certs": tls.clients and str(tls.clients),
        "ssl_cert_reqs": ssl.CERT_NONE if tls.clients is None else ssl.CERT_REQUIRED,
    }


class HttpEndpoint(uvicorn.Server):
    """A server that handles no signals and runs until `stop`."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, grace: float, tls: Tls | None = None
    ) -> None:
        """Serve on a bound socket; requests in progress get `grace` seconds when it ends."""
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,  # the client's address is not used
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(grace)),
                **({} if tls is None else _certificates(tls)),
            )
        )
        self._socket = listener
        # Clients can connect from here on; they are answered once the server runs.
        self._socket.listen(BACKLOG)

    async def run_until_exit(self) -> None:
        """Answer until `stop` is called and the requests in progress have ended."""
        with self._socket:
            await self.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Take no more connections."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield
