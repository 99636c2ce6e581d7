"""Operations on a server, its address and credentials, and the transports to it."""

from __future__ import annotations

import os
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

import numpy.typing as npt

from ppocr_client.options import Value

DEFAULT_URL = "grpc://127.0.0.1:8001"
# Each scheme's default port: Triton's own, or that of a proxy with TLS.
SCHEMES = {"grpc": 8001, "http": 8000, "grpcs": 443, "https": 443}
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds


class Address(NamedTuple):
    """A server's address: `scheme` is one of SCHEMES, `path` a prefix such as "/ocr" or ""."""

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
        ca: The authorities that are trusted; if None, those of the system.
        certificate: The client's own certificate, for servers that ask for one.
        key: The private key of that certificate.
        name: The name in the server's certificate, if it is not the address's; gRPC only.
    """

    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client's certificate and its key go together; give both or none")

    @property
    def named(self) -> str:
        """Its files, for messages."""
        return ", ".join(str(file) for file in (self.ca, self.certificate, self.key) if file)

    def context(self) -> ssl.SSLContext:
        """An SSL context for Python's own connections; an OSError if a file is no certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


class Infer(NamedTuple):
    """Run a model; answered by its outputs by name: dict[str, ndarray].

    An encoded picture is a BYTES tensor: an object array [1] of bytes. The server's log and traces
    name the request by its id.
    """

    model: str
    inputs: Mapping[str, npt.NDArray[Any]]
    parameters: Mapping[str, Value]
    request_id: str = ""


class Ready(NamedTuple):
    """Whether a model is loaded and ready; answered by a bool."""

    model: str


class Query(NamedTuple):
    """Information about the server; answered by plain values as in JSON.

    "server" is its name and version, "config" the configuration of `model`, "statistics" those of
    each model that is ready.
    """

    what: Literal["server", "config", "statistics"]
    model: str = ""


Operation = Infer | Ready | Query


class Transport(Protocol):
    """A connection to the server, for several threads or for the tasks of one event loop."""

    async def send(self, operation: Operation, timeout: float) -> Any:
        """The answer within `timeout` seconds, or one of the errors of `ppocr_client.errors`."""

    async def close(self) -> None:
        """Close all connections."""


def parse_url(url: str) -> Address:
    """The parts of `scheme://host:port/prefix`, by default of gRPC; a ValueError if it is none."""
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


def connect(
    address: Address, headers: Mapping[str, str], tls: Tls | None = None, *, in_loop: bool
) -> Transport:
    """A transport to this address; nothing is sent yet, and only its own libraries are loaded.

    `in_loop` is for the tasks of an event loop; without, its coroutines never wait. A ValueError
    says which certificate cannot be read.
    """
    tls = tls or Tls()
    try:
        if address.scheme.startswith("grpc"):
            from ppocr_client.transport.over_grpc import GrpcTransport

            return GrpcTransport(address, headers, tls, in_loop=in_loop)
        from ppocr_client.transport.over_http import HttpTransport

        return HttpTransport(address, headers, tls, in_loop=in_loop)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"cannot use the certificates {tls.named}: {error}") from error


def positive(seconds: float) -> float:
    """A timeout in seconds, above 0; a ValueError if it is not."""
    if not seconds > 0:
        raise ValueError(f"timeout is {seconds!r}; it must be more than 0 seconds")
    return seconds


def backoff(attempt: int) -> float:
    """Seconds to wait after attempt 0, 1, …: exponential, with up to half of it jitter.

    The jitter keeps clients that failed together from retrying together.
    """
    chance = random.random()  # nosec B311 # not for secrets
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * (0.5 + 0.5 * chance)
