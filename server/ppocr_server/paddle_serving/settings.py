"""The settings of the endpoints, and of their connection to Triton."""

from __future__ import annotations

import argparse
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppocr_client import Tls as ClientTls
from ppocr_pipeline.limits import Limits
from ppocr_server.access import Security, Tls, read_secret
from ppocr_server.errors import ServerError

OptionValue = str | int | bool
UPSTREAM_VARIABLE = "PPOCR_TRITON_TOKEN"
HANDSHAKES = 4  # client hello, server hello, client certificate, server's verdict

# For the parts of a request beside its picture: names, brackets, line breaks in the base64.
MARGIN_BYTES = 4 << 20

# With these options `ocr` reproduces Paddle Serving's own OCR pipeline, scores included.
PADDLE_SERVING_OPTIONS: Mapping[str, OptionValue] = {
    "reference": "paddle_serving",
    "det_limit_type": "max",
    "det_db_unclip_mode": "area",
    "det_split_gap": "0",
    "rec_padding": "paddle",
    "drop_score": "0",
    "reading_order": "rows",
    "orientation": "off",
}


@dataclass(frozen=True)
class Upstream:
    """What Triton asks of its clients.

    Attributes:
        tls: certificates of an encrypted connection; None for plain text.
        token: sent with every request.
    """

    tls: ClientTls | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class EndpointSettings:
    """The two endpoints, as config.yml describes them.

    Attributes:
        name: of the service, the first part of the HTTP path.
        http_port: 0 picks a free one, None turns HTTP off.
        rpc_port: 0 picks a free one, None turns gRPC off.
        host: address to listen on; all addresses by default, as in Paddle Serving.
        worker_num: requests in progress at a time, at least 1; the next ones wait in order.
        max_waiting: requests that may wait; the next one is answered 6000 at once.
        retry: tries of a request while Triton is full or cannot be reached; 1 is no retry.
        timeout_ms: from the arrival of a request to its answer, otherwise 6000; below 0 no limit.
        max_message_bytes: longest HTTP body and gRPC message.
        max_picture_bytes: longest encoded picture, as `max_image_bytes` of det_preprocess.
        model: Triton's name of the pipeline.
        answer: the key of an answer, of ANSWERS in protocol.py.
        options: parameters sent to Triton with every request.
        token: that clients must send; None for none, as in Paddle Serving.
        tls: certificates of both endpoints; None for plain text, as in Paddle Serving.
        upstream: the connection to Triton.
    """

    name: str = "ocr"
    http_port: int | None = 9999
    rpc_port: int | None = 18090
    host: str = "0.0.0.0"  # nosec B104 # as Paddle Serving
    worker_num: int = 20
    max_waiting: int = 1000
    retry: int = 1
    timeout_ms: int = -1
    max_message_bytes: int = 256 << 20
    max_picture_bytes: int = Limits.max_image_bytes
    model: str = "ocr"
    answer: str = "result"
    options: Mapping[str, OptionValue] = field(default_factory=lambda: dict(PADDLE_SERVING_OPTIONS))
    token: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    upstream: Upstream = field(default_factory=Upstream)

    @property
    def ports(self) -> dict[str, int]:
        """The ports by "http" and "rpc", without those that are off."""
        wanted = {"http": self.http_port, "rpc": self.rpc_port}
        return {name: port for name, port in wanted.items() if port is not None}


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
    name = _name_in(tls)
    certificate, key = (None, None) if tls.clients is None else (tls.certificate, tls.key)
    return Upstream(ClientTls(tls.certificate, certificate, key, name), security.token)


def _name_in(tls: Tls) -> str:
    """A name in the server's certificate, as a client with the same certificate sees it."""
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
