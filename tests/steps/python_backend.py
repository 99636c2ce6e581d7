"""As much of Triton's Python backend as the steps use, so that their models can be driven alone.

`rec` and `cls` answer as networks would that read nothing; `det_preprocess` is the real one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np

from ppocr_converters.repository.source import source_repository
from ppocr_engine.config_pbtxt import read_config

MODULE = "triton_python_backend_utils"
INTERNAL, INVALID_ARG, CANCELLED = 1, 3, 7
CPU = "TRITONSERVER_MEMORY_CPU"
CLASSES = 6624


class TritonModelException(Exception):
    """What Triton's own objects raise; it is no ValueError."""


class PreferredMemory:
    """Where the outputs of a call shall be; the second argument is the device."""

    def __init__(self, memory: str, _: int = 0) -> None:
        self.memory = memory


class Tensor:
    def __init__(self, name: str, array: np.ndarray, *, on_gpu: bool = False) -> None:
        self._name, self._array, self._on_gpu = name, array, on_gpu

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> np.ndarray:
        if self._on_gpu:
            raise TritonModelException("Tensor is stored in GPU and cannot be converted to NumPy.")
        return self._array


class TritonError:
    INTERNAL, INVALID_ARG, CANCELLED = INTERNAL, INVALID_ARG, CANCELLED

    def __init__(self, reason: str, code: int) -> None:
        self._reason, self._code = reason, code

    def message(self) -> str:
        return self._reason

    def code(self) -> int:
        return self._code


class InferenceResponse:
    def __init__(self, tensors: list[Tensor] | None = None, error: TritonError | None = None):
        self._tensors, self._error = tensors or [], error

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error

    def tensor(self, name: str) -> Tensor | None:
        return next((tensor for tensor in self._tensors if tensor.name() == name), None)

    def arrays(self) -> dict[str, np.ndarray]:
        return {tensor.name(): tensor.as_numpy() for tensor in self._tensors}


class Request:
    """One request as a step gets it."""

    def __init__(
        self,
        outputs: list[str],
        parameters: Mapping[str, Any] | None = None,
        **inputs: np.ndarray,
    ) -> None:
        self._outputs, self._parameters, self.inputs = outputs, parameters or {}, inputs
        self.cancelled = False

    def parameters(self) -> str:
        return json.dumps(dict(self._parameters))

    def requested_output_names(self) -> list[str]:
        return self._outputs

    def request_id(self) -> str:
        return "a"

    def is_cancelled(self) -> bool:
        return self.cancelled

    def trace(self) -> None:
        return None


class Metric:
    """One number of a server: whoever makes it anew gets the same one."""

    def __init__(self, kind: str) -> None:
        self._kind, self._value = kind, 0.0

    def increment(self, amount: float) -> None:
        if self._kind == MetricFamily.COUNTER and amount < 0:
            raise TritonModelException("a counter can only rise")
        self._value += amount

    def set(self, value: float) -> None:
        if self._kind == MetricFamily.COUNTER:
            raise TritonModelException("a counter cannot be set")
        self._value = value

    def value(self) -> float:
        return self._value


class MetricFamily:
    COUNTER, GAUGE = "counter", "gauge"
    metrics: ClassVar[dict[tuple[str, ...], Metric]] = {}

    def __init__(self, name: str, description: str, kind: str) -> None:
        assert description
        self._name, self._kind = name, kind

    def Metric(self, labels: Mapping[str, str]) -> Metric:
        key = (self._name, *(f"{name}={value}" for name, value in sorted(labels.items())))
        return self.metrics.setdefault(key, Metric(self._kind))


class Logger:
    """The messages of one server by their level."""

    infos: ClassVar[list[str]] = []
    errors: ClassVar[list[str]] = []

    @classmethod
    def log_info(cls, text: str) -> None:
        cls.infos.append(text)

    @classmethod
    def log_error(cls, text: str) -> None:
        cls.errors.append(text)


def tensor_of(request: Any, name: str) -> Tensor | None:
    found = request.inputs.get(name)
    return None if found is None else Tensor(name, found)


class Call(Request):
    """A request that a step sends to another model."""

    steps: ClassVar[Steps]

    def __init__(
        self,
        model_name: str,
        requested_output_names: list[str],
        inputs: list[Tensor],
        request_id: str,
        trace: None,
        preferred_memory: PreferredMemory | None = None,
    ) -> None:
        super().__init__(requested_output_names, None, **{t.name(): t.as_numpy() for t in inputs})
        self.model = model_name
        # Networks answer from the GPU that they run on, unless they are told otherwise.
        self._on_gpu = preferred_memory is None or preferred_memory.memory != CPU

    async def async_exec(self) -> InferenceResponse:
        self.steps.calls.append(self.model)
        if self.model == "det_preprocess":
            return self.steps.loaded["det_preprocess"].execute([self])[0]
        rows, _, columns, _ = self.inputs["CROPS"].shape
        shape = rows, max(1, columns // 8)
        outputs = {"INDICES": np.ones(shape, np.int32)}
        outputs["PROBABILITIES"] = np.full(shape, 0.9, np.float32)
        return InferenceResponse(
            [Tensor(name, array, on_gpu=self._on_gpu) for name, array in outputs.items()]
        )


class Steps:
    """Loads a model with its own config.pbtxt.

    Attributes:
        calls: the models that were called, in order.
        loaded: the first model of each name.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.loaded: dict[str, Any] = {}
        self.fake: Any = ModuleType(MODULE)
        self._living: list[Any] = []
        self._interface = {
            **{"Tensor": Tensor, "TritonError": TritonError, "Logger": Logger},
            **{"InferenceResponse": InferenceResponse, "MetricFamily": MetricFamily},
            "InferenceRequest": type("InferenceRequest", (Call,), {"steps": self}),
            "get_input_tensor_by_name": tensor_of,
            "get_output_tensor_by_name": InferenceResponse.tensor,
            "TRITONSERVER_MEMORY_CPU": CPU,
            "PreferredMemory": PreferredMemory,
        }

    def __call__(self, name: str, **parameters: str) -> Any:
        config = read_config(source_repository() / name / "config.pbtxt")
        values = {key: value.string_value for key, value in config.parameters.items()}
        written = {key: {"string_value": text} for key, text in (values | parameters).items()}
        # Triton puts its interface in place after it has imported a model.
        with patch.dict(self.fake.__dict__, clear=True):
            module: Any = load(name)
        self.fake.__dict__.update(self._interface)
        if name == "recognize":
            module.load_dictionary = lambda *_: ["x"] * CLASSES
        made = module.TritonPythonModel()
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


@contextmanager
def steps_alone() -> Iterator[Steps]:
    """Put the interface in place; models that still live at the end of the block are ended."""
    for kept in (MetricFamily.metrics, Logger.infos, Logger.errors):
        kept.clear()
    steps = Steps()
    with patch.dict(sys.modules, {MODULE: steps.fake}), patch.object(sys, "path", [*sys.path]):
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


def ask(model: Any, *requests: Request) -> list[InferenceResponse]:
    """What a model answers to requests of one call."""
    answers = model.execute(list(requests))
    return asyncio.run(answers) if asyncio.iscoroutine(answers) else answers
