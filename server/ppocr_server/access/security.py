"""What a tritonserver lets whom do: its addresses, its operator's key, its token, its certificates.

Triton names its requests in groups ("APIs", by gRPC "protocols"), and can ask for a header with
those of a group. What only an operator does needs a key, which is a random one that nobody is told
unless one is given.
"""

from __future__ import annotations

import argparse
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_server.access.credentials import (
    Tls,
    add_arguments,
    bearer,
    read_secret,
    tls_of,
    token_of,
)
from ppocr_server.errors import ServerError

LOOPBACK = "127.0.0.1"
ADMIN_VARIABLE = "PPOCR_ADMIN_KEY"
# Names of headers, as HTTP has them; gRPC's have a prefix.
ADMIN_HEADER, TOKEN_HEADER = "ppocr-admin-key", "authorization"
GRPC_PREFIX = "triton-grpc-protocol-"

# Triton's groups of requests; "health" is never closed, since balancers and probes have no key.
APIS = (
    "metadata",
    "inference",
    "shared-memory",
    "model-config",
    "model-repository",
    "statistics",
    "trace",
    "logging",
)
# Change what is served, name files for the server to write, or turn what it tells on and off.
OPERATORS = ("model-repository", "trace", "logging")
# Clients on this machine send large pictures so. From elsewhere it opens only what is not theirs.
MACHINE = ("shared-memory",)

# Before it Triton takes a kilobyte for each chunk of an HTTP body, and ends at a million of them.
MENDED = (2, 59, 1)


def new_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Security:
    """The bounds of one tritonserver.

    Attributes:
        closed: groups of `APIS` that need the operator's key; None for `OPERATORS`, and for
            `MACHINE` where other machines reach the server.
        admin_key: the operator's key.
        token: what clients must send with all else but health; None asks for nothing.
        tls: certificates of gRPC. Triton has none for HTTP and metrics, which stay on this
            machine then.
        http_host: the address of HTTP alone, None for the server's.
        metrics_host: the address of metrics alone, None for the server's.
    """

    closed: tuple[str, ...] | None = None
    admin_key: str = field(default_factory=new_key, repr=False)
    token: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    http_host: str | None = None
    metrics_host: str | None = None

    @property
    def scheme(self) -> str:
        """Of gRPC addresses as `ppocr-client` takes them."""
        return "grpc" if self.tls is None else "grpcs"

    @property
    def headers(self) -> dict[str, str]:
        """What makes HTTP requests welcome everywhere."""
        token = {} if self.token is None else {TOKEN_HEADER: bearer(self.token)}
        return {ADMIN_HEADER: self.admin_key, **token}

    def hosts(self, host: str) -> dict[str, str]:
        """The address of each endpoint of a server that listens on `host`."""
        plain = host if self.tls is None else LOOPBACK
        return {
            "http": self.http_host or plain,
            "grpc": host,
            "metrics": self.metrics_host or plain,
        }

    def arguments(self, host: str) -> list[str]:
        """Arguments for tritonserver, one that listens on `host`."""
        closed = self._closed(host)
        groups = [(closed, ADMIN_HEADER, self.admin_key)]
        if self.token is not None:
            asked = tuple(api for api in APIS if api not in closed)
            groups.append((asked, TOKEN_HEADER, bearer(self.token)))
        return [
            f"--{option}={','.join(apis)}:{header}={value}"
            for apis, header, value in groups
            if apis
            for option in ("http-restricted-api", "grpc-restricted-protocol")
        ] + _tls_arguments(self.tls)

    def exposure(self, host: str, version: str) -> str:
        """What to say where an old Triton's HTTP is reached from elsewhere; "" where all is well.

        Args:
            host: that the server listens on.
            version: Triton's own, such as "2.51.0".
        """
        address = self.hosts(host)["http"]
        numbers = tuple(int(part) for part in version.split(".") if part.isdecimal())
        if is_loopback(address) or not numbers or numbers >= MENDED:
            return ""
        return (
            f"HTTP of Triton {version} is open at {address}: whoever reaches it can end it with "
            "one request of a million chunks (CVE-2025-23310, mended in 2.59.1). Keep it here with "
            "--http-host 127.0.0.1, which leaves gRPC open, or put a proxy before it that hands on "
            "whole bodies of bounded size; SECURITY.md says more"
        )

    def _closed(self, host: str) -> tuple[str, ...]:
        if self.closed is not None:
            return self.closed
        hosts = self.hosts(host)
        alone = is_loopback(hosts["http"]) and is_loopback(hosts["grpc"])
        return OPERATORS if alone else OPERATORS + MACHINE


def _tls_arguments(tls: Tls | None) -> list[str]:
    if tls is None:
        return []
    arguments = [
        "--grpc-use-ssl=true",
        f"--grpc-server-cert={tls.certificate}",
        f"--grpc-server-key={tls.key}",
    ]
    if tls.clients is not None:
        arguments += ["--grpc-use-ssl-mutual=true", f"--grpc-root-cert={tls.clients}"]
    return arguments


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def add_security_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `security_of` reads."""
    group = parser.add_argument_group("security (SECURITY.md says what each one closes)")
    add = group.add_argument
    add(
        "--admin-key-file",
        type=Path,
        metavar="FILE",
        help=f"the operator's key is in it, for requests with the header {ADMIN_HEADER} (or "
        f"{ADMIN_VARIABLE} in the environment; default: a random one that nobody is told)",
    )
    add(
        "--restrict",
        type=_apis,
        metavar="APIS",
        help=f"what needs that key: none, or some of {', '.join(APIS)} with commas between "
        f"(default: {','.join(OPERATORS)}, and {','.join(MACHINE)} where other machines reach "
        "this server)",
    )
    add_arguments(group)
    plain = "address of {} alone (default: --host; with --tls-cert 127.0.0.1, as it is plain text)"
    add("--http-host", metavar="ADDRESS", help=plain.format("HTTP"))
    add("--metrics-host", metavar="ADDRESS", help=plain.format("metrics"))


def _apis(word: str) -> tuple[str, ...]:
    names = () if word == "none" else tuple(word.split(","))
    for name in names:
        if name not in APIS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(APIS)}, or none")
    return tuple(dict.fromkeys(names))


def security_of(options: argparse.Namespace) -> Security:
    """The bounds that the options and the environment set.

    Raises:
        ServerError: a secret or a certificate cannot be used.
    """
    admin_key = read_secret(options.admin_key_file, ADMIN_VARIABLE) or new_key()
    token = token_of(options)
    if token == admin_key:
        raise ServerError("the token is the operator's key; a client would be one: use two secrets")
    return Security(
        options.restrict,
        admin_key,
        token,
        tls_of(options),
        options.http_host,
        options.metrics_host,
    )


def command_environment(security: Security) -> Mapping[str, str]:
    """The secrets, for the environment of a command that runs beside the server."""
    token = {} if security.token is None else {"PPOCR_TOKEN": security.token}
    return {ADMIN_VARIABLE: security.admin_key, **token}
