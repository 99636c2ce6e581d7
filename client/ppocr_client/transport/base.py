"""What the client asks of a server, by which protocol, and with which credentials."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import numpy.typing as npt

from ppocr_client.options import Value
from ppocr_client.transport.shared_memory import Shared

# The port of each scheme where the address names none: Triton's own, or that of a proxy with TLS.
SCHEMES = {"grpc": 8001, "http": 8000, "grpcs": 443, "https": 443}


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

    @property
    def secure(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("grpcs", "https")


@dataclass(frozen=True)
class Tls:
    """Certificates of an encrypted connection, each the path of a PEM file.

    Attributes:
        ca: Whose signature on the server's certificate is trusted; if None, the usual ones.
        certificate: The client's own certificate, where the server wants one.
        key: The key of the client's own certificate.
    """

    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client's certificate and its key go together; give both or none")

    def context(self) -> ssl.SSLContext:
        """The certificates for Python's own connections."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True)
class Access:
    """What travels with every request: headers, and the certificates of the connection."""

    headers: Mapping[str, str] = field(default_factory=dict)
    tls: Tls = Tls()


class Infer(NamedTuple):
    """Arrays for a model, answered by its output arrays by name: dict[str, ndarray].

    An encoded picture is a BYTES tensor: an object array [1] of bytes, or one that lies in shared
    memory.
    """

    model: str
    inputs: Mapping[str, npt.NDArray[Any] | Shared]
    parameters: Mapping[str, Value]


class Ready(NamedTuple):
    """Whether a model is loaded and can be asked: bool."""

    model: str


class Look(NamedTuple):
    """What the server says of itself, as plain values that JSON can hold.

    "server" is its name and version, "config" that of `model`, "statistics" how often and how long
    each model that is ready has worked, "memory" which regions of shared memory it has open.
    """

    what: Literal["server", "config", "statistics", "memory"]
    model: str = ""


class Register(NamedTuple):
    """A region of shared memory, of its name in /dev/shm, for the server to open: None."""

    region: str
    size: int


class Unregister(NamedTuple):
    """A region that the server has open, for it to close: None."""

    region: str


Request = Infer | Ready | Look | Register | Unregister


class Transport(Protocol):
    """One protocol's way to the server; used by several threads at the same time."""

    def send(self, request: Request, timeout: float) -> Any:
        """The answer within `timeout` seconds, or one of the errors of `ppocr_client.errors`."""

    def close(self) -> None:
        """Close all connections."""


class AsyncTransport(Protocol):
    """One protocol's way to the server for the tasks of one event loop."""

    async def send(self, request: Request, timeout: float) -> Any:
        """As `Transport.send`."""

    async def close(self) -> None:
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
    if parts.scheme.startswith("grpc") and parts.path.strip("/"):
        raise ValueError(f"url {url!r} has a path, which gRPC does not know; remove {parts.path!r}")
    port = SCHEMES[parts.scheme] if port is None else port
    return Address(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def connect(address: Address, access: Access = Access()) -> Transport:
    """The way to this address; nothing is sent yet. A protocol's libraries load only here.

    Raises:
        ValueError: If a certificate cannot be read.
    """
    try:
        if address.scheme.startswith("grpc"):
            from ppocr_client.transport.over_grpc import GrpcTransport

            return GrpcTransport(address, access)
        from ppocr_client.transport.over_http import HttpTransport

        return HttpTransport(address, access)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"cannot use the certificates {access.tls}: {error}") from error


def connect_async(address: Address, access: Access = Access()) -> AsyncTransport:
    """As `connect`, for the tasks of one event loop."""
    try:
        if address.scheme.startswith("grpc"):
            from ppocr_client.transport.over_grpc import AsyncGrpcTransport

            return AsyncGrpcTransport(address, access)
        from ppocr_client.transport.over_aiohttp import AsyncHttpTransport

        return AsyncHttpTransport(address, access)
    except OSError as error:
        raise ValueError(f"cannot use the certificates {access.tls}: {error}") from error
