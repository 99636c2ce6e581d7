"""Choose free ports, and detect taken ones before tritonserver is started."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from ppocr_server.errors import PortInUseError, ServerError

# The loopback address by protocol version.
LOOPBACK = {4: "127.0.0.1", 6: "[::1]"}


def choose_ports(
    host: str | Mapping[str, str], wanted: Mapping[str, int], setting: str = "--{}-port"
) -> dict[str, int]:
    """Return a usable port for each name; 0 picks a free one.

    All ports stay bound until the last one is chosen, so they differ. Another process can still
    take one before tritonserver binds it.

    Args:
        host: address to bind, for example "127.0.0.1", or one for each name.
        wanted: port by name ("http", "grpc", "metrics"), each 0 to 65535.
        setting: how messages call the setting of a name.

    Raises:
        PortInUseError: a wanted port is taken; names the port and its option.
        ServerError: the port is out of range or the address cannot be bound at all.
    """
    chosen: dict[str, int] = {}
    with ExitStack() as held:
        # Fixed ports first, so that a free one is never picked from among them.
        for name, port in sorted(wanted.items(), key=lambda item: item[1] == 0):
            if not 0 <= port <= 65535:
                raise ServerError(
                    f"{setting.format(name)} {port} is out of range; allowed are 0 to 65535"
                )
            address = host if isinstance(host, str) else host[name]
            chosen[name] = held.enter_context(
                listening(address, name, port, setting.format(name))
            ).getsockname()[1]
    return {name: chosen[name] for name in wanted}


def reachable(host: str) -> str:
    """The address at which this machine reaches a server that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a name
        return host
    return LOOPBACK[address.version] if address.is_unspecified else host


def listening(host: str, name: str, port: int, setting: str) -> socket.socket:
    """A socket that listens on a port; see `choose_ports`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Triton binds with SO_REUSEADDR too: a port in TIME_WAIT is free for it.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Two sockets may be bound with SO_REUSEADDR as long as neither listens.
        listener.listen(1)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} on {host} is already in use, so the {name} endpoint cannot start; "
                f"stop the process that holds it, or choose another with {setting}"
            ) from error
        raise ServerError(
            f"cannot listen on {host}:{port} for the {name} endpoint: {error.strerror or error}; "
            f"change the address or {setting}"
        ) from error
    return listener
