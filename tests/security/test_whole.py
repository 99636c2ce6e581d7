"""One command line with everything on: certificates both ways, a token, old ports and new ones."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from paths import SIGN

from ppocr_server.tritonserver.ports import choose_ports

pytestmark = pytest.mark.server

PICTURE = SIGN
CONFIG = """
http_port: {http}
rpc_port: {rpc}
op:
  det: {{local_service_conf: {{model_config: PP-OCRv4_mobile_det}}}}
  rec: {{local_service_conf: {{model_config: PP-OCRv4_mobile_rec}}}}
"""
# The old HTTP port with and without the token, Triton's gRPC with it, Triton's HTTP without.
COMMANDS = Path(__file__).with_name("whole.sh").read_text("utf-8")


def test_a_service_with_everything_on(
    repository, samples, certificates, token, tmp_path, monkeypatch
):
    ports = choose_ports("127.0.0.1", {"http": 0, "rpc": 0})
    (tmp_path / "config.yml").write_text(CONFIG.format(**ports))
    picture = base64.b64encode(PICTURE.read_bytes()).decode()
    (tmp_path / "body.json").write_text(json.dumps({"key": ["image"], "value": [picture]}))
    c = certificates
    words = {"CA": c.ca, "OWN": c.client, "KEY": c.client_key, "PICTURE": PICTURE}
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
    assert all(text in old for text in samples[PICTURE.name])
    assert refused == "401"
    assert [line["text"] for line in json.loads(new)["lines"]] == samples[PICTURE.name]
    assert restricted == "403"
    assert through_gateway[:3] == ["401", "401", old]
    lines = json.loads(through_gateway[3])["pages"][0]["lines"]
    assert [line["text"] for line in lines] == samples[PICTURE.name]
    assert token not in done.stderr
