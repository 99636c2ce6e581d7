"""The gateway as a process beside `ppocr-serve`.

A PDF file that brings down the C++ library which opens it must not bring down what watches Triton.
It loads while Triton loads its models, gets its settings when Triton is ready, and ends when that
connection ends.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import Pipe
from typing import TYPE_CHECKING

from ppocr_server.errors import ServerError
from ppocr_server.gateway.settings import GatewaySettings, settings_of
from ppocr_server.paddle_serving.settings import EndpointSettings, upstream_of
from ppocr_server.tritonserver.ports import listening, reachable

if TYPE_CHECKING:
    from ppocr_server.tritonserver.server import TritonServer

LOG = logging.getLogger(__name__)
STOP_SECONDS = 5.0  # beyond the grace


class GatewayProcess:
    """A gateway, started again if it ends by itself; `url` is its address on this machine."""

    def __init__(self, host: str, port: int) -> None:
        """Open the port and start the process; clients wait until `run`."""
        setting = "--gateway-port (none leaves the gateway out)"
        self._listener = listening(host, "gateway", port, setting)
        self.host, self.url = host, ""
        self._start()

    def run(self, settings: GatewaySettings) -> None:
        """Answer requests from now on; a ServerError if the process has ended."""
        scheme = "http" if settings.tls is None else "https"
        self.url = f"{scheme}://{reachable(self.host)}:{self._listener.getsockname()[1]}"
        self._settings = settings
        self._tell()

    def check(self) -> None:
        """Start it again if it has ended; a ServerError if it ends again at once."""
        if (status := self._process.poll()) is None:
            return
        LOG.warning("ppocr-serve: the gateway ended with status %d; starting it again", status)
        self._connection.close()
        self._start()
        self._tell()

    def stop(self, grace: float) -> None:
        """Answer the requests in progress, then end it."""
        self._process.terminate()
        try:
            self._process.wait(grace + STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.close()
        self._connection.close()

    def _start(self) -> None:
        self._connection, other_end = Pipe()
        numbers = self._listener.fileno(), other_end.fileno()
        with other_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ppocr_server.gateway.cli", *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # what ppocr-serve prints is its own
                pass_fds=numbers,
                start_new_session=True,  # Ctrl-C is for ppocr-serve, which ends it in order
            )

    def _tell(self) -> None:
        try:
            self._connection.send(self._settings)
            self._connection.recv()
        except (EOFError, OSError):
            raise ServerError(
                f"the gateway ended with status {self._process.wait()} before it answered; what it "
                "said is above; --gateway-port none starts without it"
            ) from None


@contextlib.contextmanager
def gateway_process(port: int | None, host: str) -> Iterator[GatewayProcess | None]:
    """A gateway that loads while the block runs; None if there is no port for it.

    A ServerError (PortInUseError) says that the port or the address cannot be used.
    """
    if port is None:
        yield None
        return
    gateway = GatewayProcess(host, port)
    try:
        yield gateway
    finally:
        gateway.stop(0)


@contextlib.contextmanager
def in_front_of(
    server: TritonServer,
    gateway: GatewayProcess | None,
    options: argparse.Namespace,
    old: EndpointSettings | None = None,
) -> Iterator[None]:
    """Answer requests with a started server, by its token and certificates, while the block runs.

    `old` is Paddle Serving's service as a config.yml describes it. A ServerError says that the
    gateway has ended, or what `upstream_of` refuses.
    """
    if gateway is None:
        yield
        return
    security = server.security
    gateway.run(
        settings_of(
            options,
            url=f"{security.scheme}://{server.grpc_url}",
            host=gateway.host,
            token=security.token,
            tls=security.tls,
            upstream=upstream_of(security),
            old=old or EndpointSettings(),
        )
    )
    try:
        yield
    finally:
        gateway.stop(options.grace)
