"""Who may do what on a tritonserver: addresses, operator's key, token and certificates.

Triton has groups of requests ("APIs", in gRPC "protocols") and can require a header for a group.
The requests of an operator need a key. Unless one is given it is random and printed nowhere.
"""

from __future__ import annotations

import argparse
import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_server.access.credentials import (
    TOKEN_VARIABLE,
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
# Names of HTTP headers; in gRPC metadata they have a prefix, which `ppocr_client` adds.
ADMIN_HEADER, TOKEN_HEADER = "ppocr-admin-key", "authorization"

# Triton's groups of requests. "health" is always open, because balancers and probes have no key.
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
# They change what is served, name files that the server writes, change what it logs, or open memory
# of its machine.
OPERATORS = ("model-repository", "trace", "logging", "shared-memory")

# Older versions take a kilobyte for each chunk of an HTTP body and crash at a million chunks.
FIXED_VERSION = (2, 59, 1)


def new_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Security:
    """The access rules of one tritonserver.

    Attributes:
        closed: the groups of `APIS` that need the operator's key.
        admin_key: the operator's key.
        token: what clients must send with all other requests except health; None for nothing.
        tls: certificates of gRPC. Triton has none for HTTP and metrics, which then listen on this
            machine only.
        http_host: the address of HTTP, None for that of the server.
        metrics_host: the address of metrics, None for that of the server.
    """

    closed: tuple[str, ...] = OPERATORS
    admin_key: str = field(default_factory=new_key, repr=False)
    token: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    http_host: str | None = None
    metrics_host: str | None = None

    @property
    def scheme(self) -> str:
        """The scheme of gRPC addresses for `ppocr-client`."""
        return "grpc" if self.tls is None else "grpcs"

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that open all requests."""
        token = {} if self.token is None else {TOKEN_HEADER: bearer(self.token)}
        return {ADMIN_HEADER: self.admin_key, **token}

    @property
    def variables(self) -> dict[str, str]:
        """The secrets, as environment variables of a command that runs beside the server."""
        token = {} if self.token is None else {TOKEN_VARIABLE: self.token}
        return {ADMIN_VARIABLE: self.admin_key, **token}

    def hosts(self, host: str) -> dict[str, str]:
        """The address of each endpoint of a server that listens on `host`."""
        plain = host if self.tls is None else LOOPBACK
        return {
            "http": self.http_host or plain,
            "grpc": host,
            "metrics": self.metrics_host or plain,
        }

    def arguments(self) -> list[str]:
        """Arguments for tritonserver."""
        groups = [(self.closed, ADMIN_HEADER, self.admin_key)]
        if self.token is not None:
            asked = tuple(api for api in APIS if api not in self.closed)
            groups.append((asked, TOKEN_HEADER, bearer(self.token)))
        return [
            f"--{option}={','.join(apis)}:{header}={value}"
            for apis, header, value in groups
            if apis
            for option in ("http-restricted-api", "grpc-restricted-protocol")
        ] + _tls_arguments(self.tls)

    def exposure(self, host: str, version: str) -> str:
        """A warning if other machines reach the HTTP endpoint of an old Triton; "" otherwise.

        Args:
            host: the address that the server listens on.
            version: of Triton, such as "2.51.0".
        """
        address = self.hosts(host)["http"]
        numbers = tuple(int(part) for part in version.split(".") if part.isdecimal())
        if is_loopback(address) or not numbers or numbers >= FIXED_VERSION:
            return ""
        return (
            f"HTTP of Triton {version} is open at {address}: one request of a million chunks can "
            "crash it (CVE-2025-23310, fixed in 2.59.1). Close it to other machines with "
            "--http-host 127.0.0.1, which leaves gRPC open, or put a proxy before it that passes "
            "on whole bodies of limited size; see SECURITY.md"
        )


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


def add_security_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `security_of` reads."""
    group = parser.add_argument_group("security (see SECURITY.md)")
    add = group.add_argument
    add(
        "--admin-key-file",
        type=Path,
        metavar="FILE",
        help=f"file with the operator's key, for requests with the header {ADMIN_HEADER} (or "
        f"{ADMIN_VARIABLE} in the environment; default: a random key that is printed nowhere)",
    )
    add(
        "--restrict",
        type=_apis,
        default=OPERATORS,
        metavar="APIS",
        help=f"requests that need that key: none, or some of {', '.join(APIS)}, comma-separated "
        f"(default: {','.join(OPERATORS)})",
    )
    add_arguments(group)
    plain = "address of {} alone (default: --host; with --tls-cert 127.0.0.1, as it is plain text)"
    add("--http-host", metavar="ADDRESS", help=plain.format("HTTP"))
    add("--metrics-host", metavar="ADDRESS", help=plain.format("metrics"))


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _apis(word: str) -> tuple[str, ...]:
    names = () if word == "none" else tuple(word.split(","))
    for name in names:
        if name not in APIS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(APIS)}, or none")
    return tuple(dict.fromkeys(names))


def security_of(options: argparse.Namespace) -> Security:
    """The access rules that the options and the environment set.

    Raises:
        ServerError: a secret or a certificate cannot be used.
    """
    admin_key = read_secret(options.admin_key_file, ADMIN_VARIABLE) or new_key()
    token = token_of(options)
    if token == admin_key:
        raise ServerError(
            "the token and the operator's key are the same secret; use two different ones"
        )
    return Security(
        options.restrict,
        admin_key,
        token,
        tls_of(options),
        options.http_host,
        options.metrics_host,
    )
