"""The published RPC client of Paddle Serving 0.9.0, unchanged, in an environment of its own.

It needs Python 3.8 or 3.9 and a package index; elsewhere this is skipped. The environment is made
once, under build/. What the client sends is tried without it in test_endpoint_picture.py and
test_endpoint_server.py.
"""

import ast
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT, SIGN

pytestmark = [pytest.mark.server, pytest.mark.nightly]

ENVIRONMENT = ROOT / "build" / "old-client"
# The client imports the server's package and the other client's; the last three hold versions
# that the first two ask for without a bound.
PACKAGES = (
    "paddle-serving-server==0.9.0",
    "paddle-serving-client==0.9.0",
    "grpcio==1.33.2",
    "protobuf==3.20.3",
    "numpy==1.23.5",
)

CLIENT = """
import base64, json, sys
import numpy
from paddle_serving_server.pipeline import PipelineClient

client = PipelineClient()
client.connect(["127.0.0.1:" + sys.argv[1]])
image = base64.b64encode(open(sys.argv[2], "rb").read()).decode("utf8")
white = numpy.full((40, 60, 3), 255, "uint8")
answers = [
    client.predict(feed_dict={"image": image}, fetch=["res"]),
    client.predict(feed_dict={"image": image}, fetch=["res"], log_id=5, profile=True),
    client.predict(feed_dict={"image": image}, pack_tensor_format=True),
    client.predict(feed_dict={"image": image}, fetch=["res"], asyn=True).result(),
    client.predict(feed_dict={"image": white}, pack_tensor_format=True),
    client.predict(feed_dict={"image": white}, pack_tensor_format=True, use_tensor_bytes=True),
    client.predict(feed_dict={"image": "no picture"}, fetch=["res"]),
]
print(json.dumps([[a.err_no, a.err_msg, list(a.key), list(a.value)] for a in answers]))
"""


def pythons() -> Iterator[str]:
    """Interpreters that the old packages run on."""
    for version in ("3.8", "3.9"):
        versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        installed = [str(python) for python in versions.glob(f"{version}.*/bin/python")]
        for python in [shutil.which(f"python{version}") or "", *installed]:
            # A version manager's stand-in exists even where the version does not.
            if python and subprocess.run([python, "-V"], capture_output=True).returncode == 0:
                yield python


@pytest.fixture(scope="module")
def old_python() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    check = [str(python), "-c", "from paddle_serving_server.pipeline import PipelineClient"]
    if python.exists() and subprocess.run(check, capture_output=True).returncode == 0:
        return python
    found = next(pythons(), None)
    if found is None:
        pytest.skip("neither Python 3.8 nor 3.9 is here")
    subprocess.run([found, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", *PACKAGES]
    installed = subprocess.run(pip, capture_output=True, text=True)
    if installed.returncode != 0:
        pytest.skip(f"the old packages cannot be installed: {installed.stderr[-300:]}")
    return python


def test_the_old_client_is_served(old_python, endpoint):
    asked = subprocess.run(
        [old_python, "-c", CLIENT, str(endpoint.rpc_port), SIGN],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=endpoint.logs,  # it writes logs of its own where it stands
    )
    assert asked.returncode == 0, asked.stderr
    *good, white, white_npy, bad = json.loads(asked.stdout.splitlines()[-1])
    for answer in good:
        assert answer == good[0]
    err_no, err_msg, key, (value,) = good[0]
    assert (err_no, err_msg, key) == (0, "", ["result"])
    (text, score), box = ast.literal_eval(value)[0]
    assert text
    assert 0.5 < score <= 1
    assert len(box) == 4
    assert white == white_npy == [0, "", ["result"], ["[]"]]
    assert bad[0] == 10000
