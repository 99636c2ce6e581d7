"""What no Python stand-in can do is refused when the model is loaded."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ppocr_engine.errors import EngineError
from ppocr_engine.spec import EngineSpec


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "config",
    [
        {"sequence_batching": {"direct": {}, "max_sequence_idle_microseconds": 1}},
        {"batch_input": [{"kind": "BATCH_ELEMENT_COUNT"}]},
        {"batch_output": [{"kind": "BATCH_SCATTER_WITH_INPUT_SHAPE"}]},
        {"model_transaction_policy": {"decoupled": True}},
    ],
)
def test_what_cannot_be_done_is_refused(
    monkeypatch: pytest.MonkeyPatch, backend: str, config: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", ModuleType("pb"))
    from ppocr_server.backends.common.stand_in import refuse_unsupported

    with pytest.raises(EngineError, match=rf"not supported by .*{backend}"):
        refuse_unsupported(config, backend)


@pytest.mark.parametrize(("kind", "device"), [("CPU", 0), ("GPU", 0), ("GPU", 1)])
def test_each_instance_opens_its_network_on_its_own_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, device: int
) -> None:
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", ModuleType("pb"))
    from ppocr_server.backends.onnxruntime.model import TritonPythonModel

    (tmp_path / "model.onnx").touch()
    opened: list[EngineSpec] = []
    monkeypatch.setattr(EngineSpec, "open", lambda spec, _: opened.append(spec))
    config = {"instance_group": [{"kind": "KIND_GPU", "gpus": [0, 1]}]}
    TritonPythonModel.open_session(tmp_path, config, kind=kind, device=device)
    assert [(spec.device, spec.device_id) for spec in opened] == [(kind.lower(), device)]
