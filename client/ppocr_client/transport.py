"""What the client needs of a protocol, and which protocol an address asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import numpy.typing as npt

from ppocr_client.options import Value

SCHEMES = {"grpc": 8001, "http": 8000}


class Address(NamedTuple):
    """Where the server is: `scheme` is one of SCHEMES, `path` a prefix such as "/ocr" or ""."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def netloc(self) -> str:
        """Host and port, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Transport(Protocol):
    """One protocol's way to the server; used by several threads at the same time."""

    def infer(
        self, model: str, image: bytes, parameters: Mapping[str, Value], timeout: float
    ) -> dict[str, npt.NDArray[Any]]:
        """Send one encoded picture to a model and return its output tensors by name."""

    def model_ready(self, model: str, timeout: float) -> bool:
        """Whether the server has this model loaded; ServerUnavailable if nobody answers."""

    def close(self) -> None:
        """Close all connections."""


def parse_url(url: str) -> Address:
    """The parts of `grpc://host:port` or `http://host:port/prefix`; without a scheme it is gRPC.

    Raises:
        ValueError: If the address is of another scheme or has no host or a bad port.
    """
    parts = urlsplit(url if "://" in url else f"grpc://{url}")
    if parts.scheme not in SCHEMES:
        raise ValueError(
            f"url {url!r} has scheme {parts.scheme!r}; allowed: "
            + ", ".join(f"{scheme}://HOST:PORT" for scheme in SCHEMES)
        )
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"url {url!r}: {error}") from None
    if not parts.hostname:
        raise ValueError(f"url {url!r} names no host; write e.g. grpc://127.0.0.1:8001")
    if parts.scheme == "grpc" and parts.path.strip("/"):
        raise ValueError(f"url {url!r} has a path, which gRPC does not know; remove {parts.path!r}")
    port = SCHEMES[parts.scheme] if port is None else port
    return Address(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def connect(address: Address) -> Transport:
    """The way to this address; nothing is sent yet. A protocol's libraries load only here."""
    if address.scheme == "grpc":
        from ppocr_client.transport_grpc import GrpcTransport

        return GrpcTransport(address)
    from ppocr_client.transport_http import HttpTransport

    return HttpTransport(address)
