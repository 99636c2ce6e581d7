"""Run a command that needs the server, until the command ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ppocr_server.errors import ServerError

if TYPE_CHECKING:
    from ppocr_server.tritonserver.server import TritonServer

POLL_SECONDS = 0.2


def run_while_serving(
    server: TritonServer, command: Sequence[str], more: Mapping[str, str] | None = None
) -> int:
    """Run a command with the endpoints in its environment; returns its exit status.

    The status is 128 + n if signal n ended the command. `more` is added to its environment.

    Raises:
        ServerError: the command does not exist, or the server ended first.
    """
    environment = {
        **os.environ,
        "PPOCR_HTTP_URL": f"http://{server.http_url}",
        "PPOCR_GRPC_URL": f"{server.security.scheme}://{server.grpc_url}",
        "PPOCR_METRICS_URL": f"http://{server.metrics_url}/metrics",
        **server.security.variables,
        **(more or {}),
    }
    try:
        child = subprocess.Popen(list(command), env=environment)
    except OSError as error:
        raise ServerError(f"cannot run '{command[0]}': {error.strerror}") from error
    with child:
        try:
            while (status := _wait(child)) is None:
                if server.poll() is not None:
                    raise ServerError(
                        f"tritonserver ended with status {server.poll()} while '{command[0]}' ran"
                    )
            return status
        finally:
            if child.poll() is None:
                child.terminate()


def _wait(child: subprocess.Popen[bytes]) -> int | None:
    try:
        status = child.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return status if status >= 0 else 128 - status
