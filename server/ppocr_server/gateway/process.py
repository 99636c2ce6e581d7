"""The gateway as a process beside `ppocr-serve`.

It is a process of its own because PDF files are opened in it, by a library in C++: a file that
brings that down must not bring down what watches Triton. It loads while Triton loads its models,
gets its settings by standard input when Triton is ready, and ends when that input ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ppocr_server.errors import ServerError
from ppocr_server.tritonserver.ports import listening, reachable

if TYPE_CHECKING:
    from ppocr_server.paddle_serving.settings import EndpointSettings
    from ppocr_server.tritonserver.server import TritonServer

LOG = logging.getLogger(__name__)
READY = "ready"
SAME = ("token", "tls", "upstream")  # the old service has those of the gateway
STOP_SECONDS = 5.0  # beyond the grace


def limits_of(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of `GatewaySettings` that `add_gateway_arguments` sets."""
    return {
        "max_body_bytes": options.max_body_mb << 20,
        "max_pages": options.max_pages,
        "cors": tuple(options.cors),
        "url_prefixes": tuple(options.allow_url_prefix),
    }


class GatewayProcess:
    """A gateway that starts with `ppocr-serve`, and is started again if it ends by itself.

    Attributes:
        port: that it listens on.
        url: of a running gateway on this machine.
    """

    def __init__(self, host: str, port: int) -> None:
        """Open the port and start the process; clients wait until `run`.

        Raises:
            PortInUseError: the port is taken.
            ServerError: the port or the address cannot be used.
        """
        setting = "--gateway-port (none leaves the gateway out)"
        self._listener = listening(host, "gateway", port, setting)
        self.port: int = self._listener.getsockname()[1]
        self._host, self._settings, self.url = host, "", ""
        self._process = self._started()

    def run(self, settings: Mapping[str, Any]) -> None:
        """Answer requests from now on, with these fields of `GatewaySettings`.

        Raises:
            ServerError: the process has ended.
        """
        scheme = "http" if settings["tls"] is None else "https"
        self.url = f"{scheme}://{reachable(self._host)}:{self.port}"
        self._settings = json.dumps({**settings, "host": self._host}, default=str)
        self._tell()

    def check(self) -> None:
        """Start it again if it has ended.

        Raises:
            ServerError: it ends again at once.
        """
        if (status := self._process.poll()) is None:
            return
        LOG.warning("ppocr-serve: the gateway ended with status %d; starting it again", status)
        self._process = self._started()
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
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _started(self) -> subprocess.Popen[str]:
        number = self._listener.fileno()
        return subprocess.Popen(
            [sys.executable, "-m", "ppocr_server.gateway.cli", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(number,),
            start_new_session=True,  # Ctrl-C is for ppocr-serve, which ends it in order
        )

    def _tell(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(self._settings + "\n")
            self._process.stdin.flush()
        if self._process.stdout.readline().strip() != READY:
            raise ServerError(
                f"the gateway ended with status {self._process.wait()} before it answered; what it "
                "said is above; --gateway-port none starts without it"
            )


@contextlib.contextmanager
def gateway_process(port: int | None, host: str) -> Iterator[GatewayProcess | None]:
    """A gateway that loads while the block runs; None if there is no port for it.

    Raises:
        ServerError: see `GatewayProcess`.
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
    """Answer requests with a started server while the block runs.

    Args:
        server: the gateway uses its token and certificates.
        gateway: None for none.
        options: the limits.
        old: Paddle Serving's service, as a config.yml describes it.
    """
    if gateway is None:
        yield
        return
    security = server.security
    settings = {
        "url": f"{security.scheme}://{server.grpc_url}",
        "grace": options.grace,
        "token": security.token,
        "tls": security.tls and asdict(security.tls),
        **limits_of(options),
    }
    if old is not None:
        settings["old"] = {k: v for k, v in asdict(old).items() if k not in SAME}
    gateway.run(settings)
    try:
        yield
    finally:
        gateway.stop(options.grace)
