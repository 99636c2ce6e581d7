"""The steps' models driven alone, with the real or a made-up model behind each call.

`rec` and `cls` answer as networks would that read nothing; `det_preprocess` is the real one.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
from steps.python_backend import (
    Call,
    InferenceResponse,
    Logger,
    MemoryType,
    MetricFamily,
    PreferredMemory,
    Request,
    Tensor,
    TritonError,
    TritonModelException,
    input_of,
    output_of,
)

from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config

MODULE = "triton_python_backend_utils"
FORCE_CPU = "FORCE_CPU_ONLY_INPUT_TENSORS"
CLASSES = 6624
# An empty map of the detector, and the size of its picture.
MAP, SIZE = np.zeros((1, 64, 64), np.float32), np.array([64, 64], np.int32)
INTERFACE = {
    **{"Tensor": Tensor, "TritonError": TritonError, "Logger": Logger},
    **{"InferenceResponse": InferenceResponse, "MetricFamily": MetricFamily},
    "InferenceRequest": Call,
    "PreferredMemory": PreferredMemory,
    "TRITONSERVER_MEMORY_CPU": MemoryType.CPU,
    "TRITONSERVER_MEMORY_GPU": MemoryType.GPU,
    "TritonModelException": TritonModelException,
    "get_input_tensor_by_name": input_of,
    "get_output_tensor_by_name": output_of,
}


class Steps:
    """Loads a model with its own config.pbtxt.

    Attributes:
        gpu: that the networks run on, None for the CPU.
        calls: the models that were called, in order.
        loaded: the first model of each name.
    """

    def __init__(self, gpu: int | None) -> None:
        self.gpu = gpu
        self.calls: list[str] = []
        self.loaded: dict[str, Any] = {}
        self.fake: Any = ModuleType(MODULE)
        self._living: list[Any] = []

    def __call__(self, name: str, **parameters: str) -> Any:
        config = read_config(source_repository() / name / "config.pbtxt")
        values = {key: value.string_value for key, value in config.parameters.items()} | parameters
        # Triton puts its interface in place after it has imported a model.
        with patch.dict(self.fake.__dict__, clear=True):
            module: Any = load(name)
        self.fake.__dict__.update(INTERFACE)
        if name == "recognize":
            module.load_dictionary = lambda *_: ["x"] * CLASSES
        made = module.TritonPythonModel()
        module.TritonPythonModel.inputs_on = None if only_cpu(values) else self.gpu
        written = {key: {"string_value": text} for key, text in values.items()}
        made.initialize(
            {
                "model_config": json.dumps({"parameters": written}),
                **{"model_name": name, "model_repository": ".", "model_version": "1"},
            }
        )
        self.loaded.setdefault(name, made)
        self._living.append(made)
        return made

    def finalize(self, *models: Any) -> None:
        """End models, or all that still live."""
        for made in models or [*self._living]:
            self._living.remove(made)
            made.finalize()

    def answer(self, call: Call) -> InferenceResponse:
        """What another model answers; where its outputs lie is the callee's choice, if any."""
        self.calls.append(call.model_name)
        if call.model_name == "det_preprocess":
            answer, own = ask(self.loaded["det_preprocess"], call)[0], None
        else:
            answer, own = of_network(call), self.gpu
        for tensor in answer.output_tensors():
            tensor.put_on(call.preferred_memory.device(own))
        return answer


def of_network(call: Call) -> InferenceResponse:
    """What `rec` or `cls` answers: the class 1 everywhere."""
    rows, _, columns, _ = call.inputs["CROPS"].shape
    shape = rows, 1 if call.model_name == "cls" else max(1, columns // 8)
    outputs = {"INDICES": np.ones(shape, np.int32)}
    outputs["PROBABILITIES"] = np.full(shape, 0.9, np.float32)
    return InferenceResponse([Tensor(name, array) for name, array in outputs.items()])


def only_cpu(parameters: dict[str, str]) -> bool:
    """Whether Triton copies a model's inputs to the CPU (`ModelState` in src/python_be.cc)."""
    value = parameters.get(FORCE_CPU, "yes")
    if value not in ("yes", "no"):
        raise TritonModelException(f"Incorrect value for {FORCE_CPU}: {value}'")
    return value == "yes"


@contextmanager
def steps_alone(gpu: int | None = None) -> Iterator[Steps]:
    """Put the interface in place; models that still live at the end of the block are ended.

    Args:
        gpu: that the networks run on, None for the CPU.
    """
    for kept in (MetricFamily.metrics, Logger.infos, Logger.errors):
        kept.clear()
    steps = Steps(gpu)
    with (
        patch.dict(sys.modules, {MODULE: steps.fake}),
        patch.object(sys, "path", [*sys.path]),
        patch.object(Call, "callee", lambda call: steps.answer(call), create=True),
    ):
        for name in [name for name in sys.modules if name.startswith("ppocr_steps")]:
            del sys.modules[name]  # they hold the interface that was in place before
        yield steps
        steps.finalize()


def load(step: str) -> ModuleType:
    """The step's own model.py, imported anew."""
    path = source_repository() / step / "1" / "model.py"
    spec = spec_from_file_location(f"{step}_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def png(pixels: np.ndarray) -> np.ndarray:
    """A picture as IMAGE takes it."""
    return np.array([cv2.imencode(".png", pixels)[1].tobytes()], np.object_)


def ask(model: Any, *requests: Request) -> list[InferenceResponse]:
    """What a model answers to requests of one call."""
    for request in requests:
        request.device = model.inputs_on
    return model.execute(list(requests))
