"""The fake Python backend says what the real one says, as far as that runs without a GPU."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from server_unit.tiny_models import add_model, config, parameter
from steps.alone import INTERFACE

from ppocr_server.tritonserver.server import TritonServer

#: Evaluated by both; `pb` is the interface. What is compared is the value, or what was raised.
EXPRESSIONS = [
    "pb.Tensor('A', np.array([b'x'])).as_numpy()",
    "pb.Tensor('', np.ones(2))",
    "pb.Tensor('A', [1.0])",
    "pb.Tensor('A', np.array(['x']))",
    "pb.Tensor('A', np.ones(1, complex))",
    "pb.PreferredMemory('cpu')",
    "type(pb.PreferredMemory(pb.TRITONSERVER_MEMORY_GPU)).__name__",
    "pb.InferenceRequest(model_name='m', requested_output_names='A', inputs=[])",
    "pb.InferenceRequest(model_name='m', requested_output_names=[], inputs=[], trace=None)",
    "pb.InferenceRequest(requested_output_names=[], inputs=[], model_name='m',"
    " preferred_memory=None)",
    "pb.InferenceResponse([None])",
    "pb.InferenceResponse(output_tensors=[], error=pb.TritonError('m')).error().message()",
    "[int(getattr(pb.TritonError, n)) for n in ('INTERNAL', 'INVALID_ARG', 'CANCELLED')]",
]
MEANING = """
def meaning(expression, pb, np):
    try:
        return repr(eval(expression, {"pb": pb, "np": np}))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).split('. ')[0].rstrip('.')}"
"""
MODEL = f"""
import json
import numpy as np
import triton_python_backend_utils as pb
{MEANING}
class TritonPythonModel:
    def initialize(self, args):
        asked = json.loads(args["model_config"])["parameters"]
        names = {{name: dir(getattr(pb, name)) for name in {list(INTERFACE)}}}
        said = [meaning(one, pb, np) for one in {EXPRESSIONS}]
        with open(asked["out"]["string_value"], "w") as out:
            json.dump({{"names": names, "said": said}}, out)
"""
#: What the fake has for tests alone.
OF_TESTS = {
    *("device", "put_on", "arrays", "callee", "metrics", "infos", "errors"),
    *("CPU", "GPU", "DEFAULT"),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> dict[str, Any]:
    """What the real backend has and says."""
    folder = tmp_path_factory.mktemp("interface")
    out = folder / "said.json"
    text = config("python", more=parameter("out", str(out)))
    add_model(folder / "repository", "probe", text, MODEL.encode(), "model.py")
    with TritonServer(folder / "repository", grace=0):
        found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


@pytest.mark.server
def test_the_fake_has_nothing_that_the_real_one_lacks(real):
    for name, ours in INTERFACE.items():
        public = {entry for entry in dir(ours) if not entry.startswith("_")}
        assert public - OF_TESTS <= set(real["names"][name]), name


@pytest.mark.server
def test_both_say_the_same(real):
    scope: dict[str, Any] = {}
    exec(MEANING, scope)
    fake = [scope["meaning"](one, SimpleNamespace(**INTERFACE), np) for one in EXPRESSIONS]
    assert dict(zip(EXPRESSIONS, fake, strict=True)) == dict(
        zip(EXPRESSIONS, real["said"], strict=True)
    )
