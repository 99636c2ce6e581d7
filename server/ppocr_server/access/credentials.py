"""Read secrets and certificates from files and the environment, and check them before the start.

A secret is never an argument, because every user of a machine can read command lines.
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

# The characters that a header can carry (RFC 6750), and too many to be guessed.
SECRET = re.compile(r"[A-Za-z0-9._~+/-]{16,}=*")
TOKEN_VARIABLE = "PPOCR_TOKEN"  # nosec B105 # names, not secrets


@dataclass(frozen=True)
class Tls:
    """Certificates of a server, each the path of a PEM file.

    Attributes:
        certificate: of the server, with the intermediate certificates.
        key: of that certificate, without a password.
        clients: of the authority that signs client certificates; None asks clients for none.
    """

    certificate: Path
    key: Path
    clients: Path | None = None

    def check(self) -> None:
        """Check that the files belong together.

        Raises:
            ServerError: a file cannot be read, or the key belongs to another certificate.
        """
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # OpenSSL would ask for a password on the terminal; tritonserver accepts none.
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
    """Return the secret in a file, or in an environment variable, or None.

    Raises:
        ServerError: the file cannot be read, or a header cannot carry the secret.
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
            reason = getattr(error, "strerror", None) or error
            raise ServerError(f"cannot read the secret in {file}: {reason}") from error
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
    """Whether a header `Authorization` carries the token; true if there is no token.

    The comparison takes the same time for every wrong token.
    """
    if token is None:
        return True
    scheme, _, given = authorization.partition(b" ")
    return hmac.compare_digest(given.strip(), token.encode()) and scheme.lower() == b"bearer"


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options for a token and for certificates."""
    add = group.add_argument
    add(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"file with the token that clients must send as Authorization: Bearer (or "
        f"{TOKEN_VARIABLE} in the environment)",
    )
    add("--tls-cert", type=Path, metavar="PEM", help="encrypt, with this certificate")
    add("--tls-key", type=Path, metavar="PEM", help="the key of --tls-cert, without a password")
    add(
        "--tls-client-ca",
        type=Path,
        metavar="PEM",
        help="clients need a certificate of this authority",
    )


def token_of(options: argparse.Namespace) -> str | None:
    """The token that clients must send.

    Raises:
        ServerError: see `read_secret`.
    """
    return read_secret(options.token_file, TOKEN_VARIABLE)


def tls_of(options: argparse.Namespace) -> Tls | None:
    """The checked certificates; None for no encryption.

    Raises:
        ServerError: one of two required options is missing, or see `Tls.check`.
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
