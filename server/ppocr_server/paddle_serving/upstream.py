"""The connection of the old endpoints to Triton: encryption, certificates and token."""

from __future__ import annotations

import argparse
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppocr_client import Tls as ClientTls
from ppocr_server.access import Security, Tls, read_secret
from ppocr_server.errors import ServerError

UPSTREAM_VARIABLE = "PPOCR_TRITON_TOKEN"
HANDSHAKES = 4  # client hello, server hello, client certificate, server's verdict


@dataclass(frozen=True)
class Upstream:
    """What Triton asks of its clients.

    Attributes:
        tls: certificates of an encrypted connection; None for plain text.
        token: sent with every request.
    """

    tls: ClientTls | None = None
    token: str | None = field(default=None, repr=False)


def add_upstream_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the options that `upstream_given` reads."""
    add = group.add_argument
    add("--triton-ca", type=Path, metavar="PEM", help="whose signature is trusted")
    add("--triton-cert", type=Path, metavar="PEM", help="this endpoint's own certificate")
    add("--triton-key", type=Path, metavar="PEM", help="its key")
    text = f"its token (or {UPSTREAM_VARIABLE} in the environment)"
    add("--triton-token-file", type=Path, metavar="FILE", help=text)


def upstream_given(options: argparse.Namespace, url: str) -> Upstream:
    """The connection to the Triton at `url` that the options describe.

    Raises:
        ServerError: certificates for plain text, one of two that are needed, or a bad secret.
    """
    secure = url.startswith("grpcs://")
    files = options.triton_ca, options.triton_cert, options.triton_key
    if any(files) and not secure:
        raise ServerError(f"certificates for {url} encrypt nothing; write grpcs://")
    if (options.triton_cert is None) != (options.triton_key is None):
        raise ServerError("--triton-cert and --triton-key go together; give both or none")
    token = read_secret(options.triton_token_file, UPSTREAM_VARIABLE)
    return Upstream(ClientTls(*files) if secure else None, token)


def upstream_of(security: Security) -> Upstream:
    """The connection of a process to the tritonserver that it has started.

    It trusts only that server's certificate, and shows it as a client certificate if Triton asks.

    Raises:
        ServerError: Triton would refuse it.
    """
    tls = security.tls
    if tls is None:
        return Upstream(token=security.token)
    name = name_in(tls)
    certificate, key = (None, None) if tls.clients is None else (tls.certificate, tls.key)
    return Upstream(ClientTls(tls.certificate, certificate, key, name), security.token)


def name_in(tls: Tls) -> str:
    """A name in the server's certificate, as a client with the same certificate sees it.

    Raises:
        ServerError: it has none, or a server with these certificates refuses that client.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False  # the name is what is asked for
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(tls.certificate)
    client.load_cert_chain(tls.certificate, tls.key)
    if tls.clients is not None:
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(tls.clients)
    try:
        found = _handshake(client, server)
    except ssl.SSLError as error:
        raise ServerError(
            f"the gateway and the old endpoints show {tls.certificate} to Triton, which refuses "
            f"it: {error}; give one that {tls.clients} has signed, for clients too, or run "
            "`ppocr-serve gateway` and `ppocr-serve endpoint` with --triton-cert beside "
            "ppocr-serve --gateway-port none without --config"
        ) from error
    names = [value for _, value in found.get("subjectAltName", ())]
    if not names:
        raise ServerError(f"{tls.certificate} names no host (subjectAltName); give one that does")
    return str(names[0])


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> dict[str, Any]:
    """The server's certificate, after a handshake in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(HANDSHAKES):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(here.getpeercert() or {})
