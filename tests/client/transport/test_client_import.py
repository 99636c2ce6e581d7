"""The base install stays light: what `import ppocr_client` may load."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    *("cv2", "fsspec", "onnx", "onnxruntime", "paddle", "PIL", "pyarrow", "pyclipper", "pytriton"),
    "tritonclient",
}
PROGRAM = """
import json, sys
before = set(sys.modules)
{statement}
print(json.dumps(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""


def modules_loaded_by(statement: str) -> set[str]:
    """The top-level modules that a statement loads in a fresh interpreter."""
    program = PROGRAM.format(statement=statement)
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(ran.stdout))


@pytest.mark.parametrize(
    "module",
    ["ppocr_client", "ppocr_client.cli", "ppocr_client.exports.draw", "ppocr_client.errors"],
)
def test_import_loads_nothing_heavy(module):
    assert not modules_loaded_by(f"import {module}") & HEAVY


@pytest.mark.parametrize(
    ("url", "wanted", "other"),
    [("grpc://127.0.0.1:1", "grpc", "gevent"), ("http://127.0.0.1:1", "gevent", "grpc")],
)
def test_a_client_loads_only_its_own_protocol(url, wanted, other):
    loaded = modules_loaded_by(f"import ppocr_client; ppocr_client.OcrClient({url!r})")
    assert wanted in loaded
    assert other not in loaded
    assert not loaded & (HEAVY - {"tritonclient"})
