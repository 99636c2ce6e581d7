"""What no Python stand-in can do is refused when the model is loaded."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from ppocr_engine.errors import EngineError


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
