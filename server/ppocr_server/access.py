"""Who may do what: the operator's key, the token, certificates and addresses of a tritonserver.

A secret is never an argument, because every user of a machine can read command lines.
"""

from __future__ import annotations

import argparse
import hmac
import ipaddress
import os
import re
import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_server.errors import ServerError

LOOPBACK = "127.0.0.1"
# The characters that a header can carry (RFC 6750), and too many to be guessed.
SECRET = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")
TOKEN_VARIABLE, ADMIN_VARIABLE = "PPOCR_TOKEN", "PPOCR_ADMIN_KEY"
# Names of HTTP headers; in gRPC metadata they have a prefix, which `ppocr_client` adds.
ADMIN_HEADER, TOKEN_HEADER = "ppocr-admin-key", "authorization"
# Triton's groups of requests, in gRPC called "protocols"; it can require a header for a group.
# "health" is always open, because balancers and probes have no key.
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


@dataclass(frozen=True)
class Tls:
    """Certificates of a server, each the path of a PEM file."""

    certificate: Path  # with the intermediate certificates
    key: Path  # without a password
    clients: Path | None = (
        None  # of the authority that signs clients' certificates, if they need one
    )

    def check(self) -> None:
        """Raise a ServerError if a file cannot be read, or the key is another certificate's."""
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # OpenSSL would ask for a password on the terminal; tritonserver accepts none.
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
            if self.clients is not None:
                context.load_verify_locations(self.clients)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(map(str, filter(None, (self.certificate, self.key, self.clients))))
            raise ServerError(
                f"cannot use the certificates {files}: {error.strerror or error}; give a PEM "
                "certificate with --tls-cert, its key without a password with --tls-key, and an "
                "authority's certificate with --tls-client-ca"
            ) from error


def _no_password() -> str:
    raise OSError("the key has a password")


def bearer(token: str) -> str:
    """The value of the header `Authorization` that carries a token."""
    return f"Bearer {token}"


def admits(token: str | None, authorization: bytes) -> bool:
    """Whether a header `Authorization` carries the token; true if there is no token."""
    if token is None:
        return True
    scheme, _, given = authorization.partition(b" ")
    # It takes the same time for every wrong token.
    return hmac.compare_digest(given.strip(), token.encode()) and scheme.lower() == b"bearer"


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Security:
    """The access rules of one tritonserver."""

    closed: tuple[str, ...] = OPERATORS  # the groups that need the operator's key
    admin_key: str = field(default_factory=new_key, repr=False)
    token: str | None = field(default=None, repr=False)  # for all other requests except health
    # Of gRPC. Triton has none for HTTP and metrics, which then listen on this machine only.
    tls: Tls | None = None
    http_host: str | None = None  # by default that of the server, as the next
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
        """The secrets, as environment variables of a command beside the server."""
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
        arguments = [
            f"--{option}={','.join(apis)}:{header}={value}"
            for apis, header, value in groups
            if apis
            for option in ("http-restricted-api", "grpc-restricted-protocol")
        ]
        if self.tls is not None:
            arguments += [
                "--grpc-use-ssl=true",
                f"--grpc-server-cert={self.tls.certificate}",
                f"--grpc-server-key={self.tls.key}",
            ]
            if self.tls.clients is not None:
                arguments += ["--grpc-use-ssl-mutual=true", f"--grpc-root-cert={self.tls.clients}"]
        return arguments

    def exposure(self, host: str, version: str) -> str:
        """A warning if other machines reach the HTTP of an old Triton on `host`; else ""."""
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


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options that `token_of` and `tls_of` read."""
    add = group.add_argument
    token_help = (
        f"file with the token that clients must send as Authorization: Bearer (or {TOKEN_VARIABLE} "
        "in the environment)"
    )
    add("--token-file", type=Path, metavar="FILE", help=token_help)
    add("--tls-cert", type=Path, metavar="PEM", help="encrypt, with this certificate")
    add("--tls-key", type=Path, metavar="PEM", help="the key of --tls-cert, without a password")
    clients_help = "clients need a certificate of this authority"
    add("--tls-client-ca", type=Path, metavar="PEM", help=clients_help)


def add_security_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `security_of` reads."""
    group = parser.add_argument_group("security (see SECURITY.md)")
    key_help = (
        f"file with the operator's key, for requests with the header {ADMIN_HEADER} (or "
        f"{ADMIN_VARIABLE} in the environment; default: a random key that is printed nowhere)"
    )
    group.add_argument("--admin-key-file", type=Path, metavar="FILE", help=key_help)
    group.add_argument(
        "--restrict",
        type=_apis,
        default=OPERATORS,
        metavar="APIS",
        help=f"requests that need that key: none, or some of {', '.join(APIS)}, comma-separated "
        f"(default: {','.join(OPERATORS)})",
    )
    add_arguments(group)
    plain = "address of {} alone (default: --host; with --tls-cert 127.0.0.1, as it is plain text)"
    group.add_argument("--http-host", metavar="ADDRESS", help=plain.format("HTTP"))
    group.add_argument("--metrics-host", metavar="ADDRESS", help=plain.format("metrics"))


def _apis(word: str) -> tuple[str, ...]:
    names = () if word == "none" else tuple(word.split(","))
    for name in names:
        if name not in APIS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(APIS)}, or none")
    return tuple(dict.fromkeys(names))


def read_secret(file: Path | None, variable: str) -> str | None:
    """The secret in a file or an environment variable, or None; a ServerError if it is bad."""
    try:
        text = os.environ.get(variable, "") if file is None else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServerError(f"cannot read the secret in {file}: {reason}") from error
    if file is None and not text:
        return None
    secret = text.strip()
    if not SECRET.fullmatch(secret):
        raise ServerError(
            f"the secret in {file or variable} has {len(secret)} characters; 16 or more are "
            "needed, all of them letters, digits or one of . _ ~ + / - (such as `openssl rand "
            "-hex 32` prints)"
        )
    return secret


def token_of(options: argparse.Namespace) -> str | None:
    """The token that clients must send; see `read_secret`."""
    return read_secret(options.token_file, TOKEN_VARIABLE)


def tls_of(options: argparse.Namespace) -> Tls | None:
    """The checked certificates, None for no encryption; a ServerError says what is wrong."""
    certificate, key, clients = options.tls_cert, options.tls_key, options.tls_client_ca
    if not any((certificate, key, clients)):
        return None
    if certificate is None or key is None:
        raise ServerError(
            "encryption needs both --tls-cert and --tls-key; --tls-client-ca alone encrypts nothing"
        )
    tls = Tls(certificate.absolute(), key.absolute(), clients and clients.absolute())
    tls.check()
    return tls


def security_of(options: argparse.Namespace) -> Security:
    """The access rules of the options and the environment; a ServerError says what is wrong."""
    admin_key = read_secret(options.admin_key_file, ADMIN_VARIABLE) or new_key()
    token, tls = token_of(options), tls_of(options)
    if token == admin_key:
        raise ServerError(
            "the token and the operator's key are the same secret; use two different ones"
        )
    hosts = options.http_host, options.metrics_host
    return Security(options.restrict, admin_key, token, tls, *hosts)
