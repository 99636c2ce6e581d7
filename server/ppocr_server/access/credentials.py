"""Secrets and certificates: read from files and the environment, checked before anything starts.

A secret is never a word of a command line, which every user of a machine can read.
"""

from __future__ import annotations

import argparse
import hmac
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from ppocr_server.errors import ServerError

# What a header can carry as it is (RFC 6750), and too long to be guessed.
SECRET = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")
TOKEN_VARIABLE = "PPOCR_TOKEN"  # nosec B105 # names, not secrets


@dataclass(frozen=True)
class Tls:
    """Certificates of a server, each the path of a PEM file.

    Attributes:
        certificate: the server's own, with those between it and its authority.
        key: the key of that certificate, without a password.
        clients: whose signature clients' certificates need; None asks clients for none.
    """

    certificate: Path
    key: Path
    clients: Path | None = None

    def check(self) -> None:
        """See that the files belong together.

        Raises:
            ServerError: one cannot be read, or the key is of another certificate.
        """
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # A password would be asked for on the terminal, and tritonserver cannot be told one.
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
            if self.clients is not None:
                context.load_verify_locations(self.clients)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(
                str(path) for path in (self.certificate, self.key, self.clients) if path
            )
            raise ServerError(
                f"cannot use the certificates {files}: {error.strerror or error}; give a PEM "
                "certificate with --tls-cert, its key without a password with --tls-key, and an "
                "authority's certificate with --tls-client-ca"
            ) from error


def _no_password() -> str:
    raise OSError("the key has a password")


def read_secret(file: Path | None, variable: str) -> str | None:
    """Return the secret in a file, or else in a variable of the environment, or None.

    Raises:
        ServerError: the file cannot be read, or it is no secret that a header can carry.
    """
    if file is None:
        text, origin = os.environ.get(variable, ""), variable
        if not text:
            return None
    else:
        origin = str(file)
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ServerError(f"cannot read the secret in {file}: {error}") from error
    secret = text.strip()
    if not SECRET.fullmatch(secret):
        raise ServerError(
            f"the secret in {origin} has {len(secret)} characters; 16 or more are needed, all of "
            "them letters, digits or one of . _ ~ + / - (such as `openssl rand -hex 32` prints)"
        )
    return secret


def bearer(token: str) -> str:
    """The value of the header `Authorization` that carries a token."""
    return f"Bearer {token}"


def admits(token: str | None, authorization: bytes) -> bool:
    """Whether a header `Authorization` carries the token, or none is asked for.

    The time it takes does not tell how much of a wrong one is right.
    """
    if token is None:
        return True
    scheme, _, given = authorization.partition(b" ")
    return hmac.compare_digest(given.strip(), token.encode()) and scheme.lower() == b"bearer"


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options of a token and of certificates."""
    add = group.add_argument
    add(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"clients must send the token in it, as Authorization: Bearer (or {TOKEN_VARIABLE} "
        "in the environment)",
    )
    add("--tls-cert", type=Path, metavar="PEM", help="this server's certificate: encrypt")
    add("--tls-key", type=Path, metavar="PEM", help="the key of --tls-cert, without a password")
    add("--tls-client-ca", type=Path, metavar="PEM", help="clients need a certificate of this one")


def token_of(options: argparse.Namespace) -> str | None:
    """The token that clients must send.

    Raises:
        ServerError: see `read_secret`.
    """
    return read_secret(options.token_file, TOKEN_VARIABLE)


def tls_of(options: argparse.Namespace) -> Tls | None:
    """The certificates, checked; None where there is to be no encryption.

    Raises:
        ServerError: an option lacks its companion, or see `Tls.check`.
    """
    certificate, key, clients = options.tls_cert, options.tls_key, options.tls_client_ca
    if certificate is None and key is None and clients is None:
        return None
    if certificate is None or key is None:
        raise ServerError(
            "encryption needs both --tls-cert and --tls-key; --tls-client-ca alone encrypts nothing"
        )
    tls = Tls(certificate.absolute(), key.absolute(), clients and clients.absolute())
    tls.check()
    return tls
