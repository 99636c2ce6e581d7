"""Certificates made for one run, and servers with every bound drawn."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from ppocr_server.access import APIS, Security, Tls
from ppocr_server.tritonserver.server import TritonServer

# In no address that the tests connect to, so that nobody is trusted by accident.
HOST = "ocr.example"


@dataclass(frozen=True)
class Certificates:
    """PEM files: of an authority, of a server and a client of its own, and of strangers."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    other_ca: Path
    other_client: Path
    other_client_key: Path

    @property
    def mutual(self) -> Tls:
        return Tls(self.server, self.server_key, self.ca)


def grpc_credentials(ca: Path, key: Path | None = None, certificate: Path | None = None) -> Any:
    """Of a client that trusts an authority, and has a certificate or none."""
    return grpc.ssl_channel_credentials(*(p and p.read_bytes() for p in (ca, key, certificate)))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca, other = trustme.CA(), trustme.CA()
    files = {"ca": folder / "ca.pem", "other_ca": folder / "other_ca.pem"}
    ca.cert_pem.write_to_path(str(files["ca"]))
    other.cert_pem.write_to_path(str(files["other_ca"]))
    issued = {
        "server": ca.issue_cert(HOST, "localhost", "127.0.0.1"),
        "client": ca.issue_cert("reader@ocr.example"),
        "other_client": other.issue_cert("reader@ocr.example"),
    }
    for name, certificate in issued.items():
        files[name], files[f"{name}_key"] = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.private_key_pem.write_to_path(str(files[f"{name}_key"]))
        files[name].write_bytes(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    return Certificates(**files)


@pytest.fixture(scope="session")
def token() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="session")
def closed(small_repository, certificates, token) -> Iterator[TritonServer]:
    """Everything on: mutual TLS, a token, and the operator's key for all that may have it.

    The token is for what clients of a model do.
    """
    clients = ("metadata", "inference")
    security = Security(
        closed=tuple(api for api in APIS if api not in clients),
        token=token,
        tls=certificates.mutual,
    )
    with TritonServer(small_repository, grace=0, security=security, host="0.0.0.0") as running:
        yield running


@pytest.fixture(scope="session")
def exposed(small_repository) -> Iterator[TritonServer]:
    """Nothing but another address than this machine's own: what a container listens on."""
    with TritonServer(small_repository, grace=0, host="0.0.0.0") as running:
        yield running
