"""Encrypted connections, tried with the right certificate and with every other."""

import asyncio
import base64
import http.client
import json
import socket
import ssl
import subprocess
from pathlib import Path

import grpc
import pytest
from paddle_serving.conftest import endpoint_process
from paths import SIGN
from security.conftest import HOST, Certificates, grpc_credentials
from security.triton_calls import GRPC, ask_grpc, ask_http
from serving import ask

from ppocr_client import AsyncOcrClient, OcrClient
from ppocr_client import Tls as ClientTls
from ppocr_server.access import LOOPBACK, Security, Tls
from ppocr_server.errors import ServerError
from ppocr_server.paddle_serving.backend import TritonBackend
from ppocr_server.paddle_serving.cli import main
from ppocr_server.paddle_serving.settings import EndpointSettings, Upstream, upstream_of
from ppocr_server.tritonserver.ports import choose_ports

pytestmark = pytest.mark.server

READY = GRPC["health"][1]
NOT_REACHED = "failed to connect to all addresses"


def wrong_tls(c: Certificates) -> list[ClientTls]:
    """No certificate, an authority that is not the server's, a stranger's certificate."""
    return [
        ClientTls(c.ca),
        ClientTls(c.other_ca, c.client, c.client_key),
        ClientTls(c.ca, c.other_client, c.other_client_key),
    ]


def wrong_credentials(c: Certificates) -> list[grpc.ChannelCredentials]:
    """The same for gRPC's own client."""
    return [
        grpc_credentials(c.ca),
        grpc_credentials(c.other_ca, c.client_key, c.client),
        grpc_credentials(c.ca, c.other_client_key, c.other_client),
    ]


def test_who_has_the_right_certificate_is_answered_and_nobody_else(closed, certificates):
    c = certificates
    right = grpc_credentials(c.ca, c.client_key, c.client)
    with grpc.secure_channel(closed.grpc_url, right) as opened:
        assert ask_grpc(opened, *READY) == ""
    for wrong in wrong_credentials(c):
        with grpc.secure_channel(closed.grpc_url, wrong) as opened:
            assert NOT_REACHED in ask_grpc(opened, *READY)
    with grpc.insecure_channel(closed.grpc_url) as opened:
        assert ask_grpc(opened, *READY) != ""


def test_plain_http_on_the_encrypted_port_is_not_answered(closed):
    with pytest.raises((OSError, http.client.HTTPException)):
        ask_http(closed.grpc_url, "GET", "/v2/health/ready")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocols_are_not_spoken(closed, certificates):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    host, _, port = closed.grpc_url.rpartition(":")
    # The server hangs up, with or without a word; it is not this side that refuses.
    words = r"ALERT_PROTOCOL_VERSION|UNEXPECTED_EOF|\(EOF\)|reset by peer"
    refused = pytest.raises(OSError, match=words)
    with socket.create_connection((host, int(port)), 10) as plain, refused:
        old.wrap_socket(plain)


def test_what_triton_cannot_encrypt_stays_on_this_machine(closed, exposed):
    # An address of this machine at which only those answer who listen on all.
    elsewhere = "127.0.0.2"
    for url in (exposed.http_url, exposed.metrics_url, exposed.grpc_url, closed.grpc_url):
        socket.create_connection((elsewhere, int(url.rpartition(":")[2])), 10).close()
    for url in (closed.http_url, closed.metrics_url):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((elsewhere, int(url.rpartition(":")[2])), 10)


def test_http_goes_where_it_is_told(certificates):
    assert Security(tls=certificates.mutual, http_host="10.0.0.1").hosts("0.0.0.0") == {
        "http": "10.0.0.1",
        "grpc": "0.0.0.0",
        "metrics": LOOPBACK,
    }
    assert set(Security().hosts("10.0.0.1").values()) == {"10.0.0.1"}


def test_the_client_speaks_mutual_tls(closed, certificates, token):
    url = f"grpcs://{closed.grpc_url}"
    right = ClientTls(certificates.ca, certificates.client, certificates.client_key)
    with OcrClient(url, model="small", tls=right, token=token) as client:
        assert client.server_ready()
    for wrong in wrong_tls(certificates):
        with OcrClient(url, model="small", tls=wrong, retries=0) as client:
            assert not client.server_ready()

    async def ready() -> bool:
        async with AsyncOcrClient(url, model="small", tls=right, token=token) as client:
            return await client.server_ready()

    assert asyncio.run(ready())


def test_the_old_endpoints_reach_a_triton_of_their_own(closed, certificates):
    security = closed.security
    right = upstream_of(security)
    assert right.tls is not None
    assert right.tls.name == HOST

    async def ready(upstream: Upstream) -> bool:
        backend = TritonBackend(closed.grpc_url, EndpointSettings(model="small", upstream=upstream))
        try:
            return await backend.ready()
        finally:
            await backend.close()

    assert asyncio.run(ready(right))
    for wrong in (None, *wrong_tls(certificates)):
        assert not asyncio.run(ready(Upstream(wrong, right.token))), wrong


def test_a_certificate_that_triton_would_not_take_is_told_before(certificates, tmp_path):
    c = certificates
    with pytest.raises(ServerError, match=r"the old endpoints show .* to Triton, which refuses it"):
        upstream_of(Security(tls=Tls(c.server, c.server_key, c.other_ca)))
    for wrong in (
        Tls(c.server, c.client_key),
        Tls(c.server, tmp_path / "missing"),
        Tls(c.server_key, c.server_key),
        Tls(c.server, c.server_key, c.server_key),
    ):
        with pytest.raises(ServerError, match="cannot use the certificates"):
            wrong.check()


def test_a_key_with_a_password_is_refused_not_asked_for(certificates, tmp_path):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(certificates.server_key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ServerError, match="the key has a password"):
        Tls(certificates.server, locked).check()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--triton=http://127.0.0.1:1"], "neither grpc:// nor grpcs://HOST:PORT"),
        (["--triton=triton:grpc", "--http-port=0", "--rpc-port=0"], "Port could not be cast"),
        (["--triton-ca={ca}"], "encrypt nothing; write grpcs://"),
        (["--triton=grpcs://127.0.0.1:1", "--triton-cert={client}"], "give both or none"),
        (["--tls-cert={server}"], "encryption needs both --tls-cert and --tls-key"),
        (["--tls-client-ca={ca}"], "encryption needs both --tls-cert and --tls-key"),
    ],
)
def test_options_that_would_encrypt_nothing_are_refused(certificates, words, reason, capsys):
    given = [word.format(**vars(certificates)) for word in words]
    try:
        status = main(given)
    except SystemExit as ended:
        status = int(ended.code or 0)
    assert status in (1, 2)
    assert reason in capsys.readouterr().err


def test_a_certificate_of_triton_that_cannot_be_read_is_named():
    settings = EndpointSettings(upstream=Upstream(ClientTls("/no/ca.pem")))
    with pytest.raises(ServerError, match=r"certificates /no/ca\.pem: .*No such file"):
        TritonBackend("127.0.0.1:1", settings)


def test_the_old_endpoints_speak_mutual_tls(closed, certificates, token, tmp_path):
    c = certificates
    secret = tmp_path / "token"
    secret.write_text(f"{token}\n")
    arguments = [
        f"--tls-cert={c.server}",
        f"--tls-key={c.server_key}",
        f"--tls-client-ca={c.ca}",
        "--model=small",
        f"--triton=grpcs://{closed.grpc_url}",
        f"--triton-ca={c.ca}",
        f"--triton-cert={c.client}",
        f"--triton-key={c.client_key}",
        f"--triton-token-file={secret}",
    ]
    with endpoint_process(closed.grpc_url, tmp_path / "logs", *arguments) as running:
        no_picture = f"127.0.0.1:{running.http_port}", "POST", "/ocr/prediction", "{}", None
        known = ClientTls(c.ca, c.client, c.client_key).context()
        assert ask(*no_picture, known)[0] == 200
        for wrong in (None, *(one.context() for one in wrong_tls(c))):
            with pytest.raises((OSError, http.client.HTTPException)):
                ask(*no_picture, wrong)
        method = "/grpc.health.v1.Health/Check"
        url = f"127.0.0.1:{running.rpc_port}"
        with grpc.secure_channel(url, grpc_credentials(c.ca, c.client_key, c.client)) as opened:
            # Serving: so it reaches Triton, with its certificate and its token.
            check = opened.unary_unary(method)
            while (answer := check(b"", timeout=20)) == b"\x08\x02":
                pass
            assert answer == b"\x08\x01"
        for credentials in wrong_credentials(c):
            with grpc.secure_channel(url, credentials) as opened:
                with pytest.raises(grpc.RpcError) as caught:
                    opened.unary_unary(method)(b"", timeout=20)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


CONFIG = """
http_port: {http}
rpc_port: {rpc}
op:
  det: {{local_service_conf: {{model_config: PP-OCRv4_mobile_det}}}}
  rec: {{local_service_conf: {{model_config: PP-OCRv4_mobile_rec}}}}
"""
# The old HTTP port with and without the token, Triton's gRPC with it, Triton's HTTP without.
COMMANDS = Path(__file__).with_name("test_tls.sh").read_text("utf-8")


def test_a_service_with_everything_on(
    repository, samples, certificates, token, tmp_path, monkeypatch
):
    ports = choose_ports("127.0.0.1", {"http": 0, "rpc": 0})
    (tmp_path / "config.yml").write_text(CONFIG.format(**ports))
    picture = base64.b64encode(SIGN.read_bytes()).decode()
    (tmp_path / "body.json").write_text(json.dumps({"key": ["image"], "value": [picture]}))
    c = certificates
    words = {"CA": c.ca, "OWN": c.client, "KEY": c.client_key, "PICTURE": SIGN}
    for name, word in words.items():
        monkeypatch.setenv(name, str(word))
    monkeypatch.setenv("PPOCR_TOKEN", token)
    command = ["ppocr-serve", "--config", "config.yml", "--model-repository", str(repository)]
    command += ["--host", "0.0.0.0", "--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    command += ["--gateway-port=0"]
    command += [f"--tls-cert={c.server}", f"--tls-key={c.server_key}", f"--tls-client-ca={c.ca}"]
    command += ["--grace=0", "--", "sh", "-ec", COMMANDS]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    old, refused, new, restricted, *through_gateway = done.stdout.splitlines()
    assert all(text in old for text in samples[SIGN.name])
    assert refused == "401"
    assert [line["text"] for line in json.loads(new)["lines"]] == samples[SIGN.name]
    assert restricted == "403"
    assert through_gateway[:3] == ["401", "401", old]
    lines = json.loads(through_gateway[3])["pages"][0]["lines"]
    assert [line["text"] for line in lines] == samples[SIGN.name]
    assert token not in done.stderr
