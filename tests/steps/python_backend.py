"""As much of Triton's Python backend as the steps use, as strict as the real one.

`test_interface.py` compares it with the real one, which runs here without a GPU. What only a GPU
shows follows triton-inference-server/python_backend, r24.10 to main: `PbTensor::AsNumpy`
(src/pb_tensor.cc), `ResponseAlloc` (src/request_executor.cc), `GetInputTensor` (src/python_be.cc).
"""

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar

import numpy as np

INTERNAL, INVALID_ARG, CANCELLED = 1, 3, 7


class TritonModelException(Exception):
    """What Triton's own objects raise; it is no ValueError."""


def expect(fits: bool) -> None:
    """What pybind11 says of arguments of a wrong type."""
    if not fits:
        raise TypeError("__init__(): incompatible constructor arguments.")


class MemoryType(Enum):
    CPU, GPU, DEFAULT = "cpu", "gpu", "default"


class PreferredMemory:
    """Where the outputs of a call shall be."""

    def __init__(self, preferred_memory_type: MemoryType, preferred_device_id: int = 0) -> None:
        expect(isinstance(preferred_memory_type, MemoryType))
        self.memory, self._device = preferred_memory_type, preferred_device_id

    def device(self, own: int | None) -> int | None:
        """The GPU that holds an output, None for the CPU; `own` is where the callee has it."""
        return {MemoryType.CPU: None, MemoryType.GPU: self._device, MemoryType.DEFAULT: own}[
            self.memory
        ]


class InferenceTrace:
    """What a request hands on to those that it leads to."""


NO_PREFERENCE, NO_TRACE = PreferredMemory(MemoryType.DEFAULT), InferenceTrace()


class Tensor:
    """A named array. `device` is the GPU whose memory holds it, None where the CPU's does."""

    device: int | None = None

    def __init__(self, name: str, array: np.ndarray) -> None:
        expect(isinstance(array, np.ndarray))
        if not name:
            raise TritonModelException("Tensor name cannot be an empty string.")
        if array.dtype.kind not in "biufSO":
            raise TritonModelException("NumPy dtype is not supported.")
        self._name, self._array = name, array

    def name(self) -> str:
        return self._name

    def as_numpy(self) -> np.ndarray:
        if self.device is not None:
            raise TritonModelException("Tensor is stored in GPU and cannot be converted to NumPy.")
        return self._array

    def put_on(self, device: int | None) -> "Tensor":
        """Move it into a GPU's memory; texts, which are BYTES, always stay in the CPU's."""
        self.device = None if self._array.dtype.kind in "SO" else device
        return self


class TritonError:
    INTERNAL, INVALID_ARG, CANCELLED = INTERNAL, INVALID_ARG, CANCELLED

    def __init__(self, message: str, code: int = INTERNAL) -> None:
        self._reason, self._code = message, code

    def message(self) -> str:
        return self._reason

    def code(self) -> int:
        return self._code


class InferenceResponse:
    def __init__(
        self, output_tensors: list[Tensor] | None = None, error: TritonError | None = None
    ) -> None:
        self._tensors, self._error = output_tensors or [], error
        if None in self._tensors:
            raise TritonModelException("Output tensor for inference response should not be empty.")

    def has_error(self) -> bool:
        return self._error is not None

    def error(self) -> TritonError | None:
        return self._error

    def output_tensors(self) -> list[Tensor]:
        return self._tensors

    def arrays(self) -> dict[str, np.ndarray]:
        return {tensor.name(): tensor.as_numpy() for tensor in self._tensors}


class Request:
    """One request as a step gets it.

    Attributes:
        device: the GPU whose memory holds its inputs, None for the CPU.
    """

    device: int | None = None

    def __init__(
        self, outputs: list[str], parameters: Mapping[str, Any] | None = None, **inputs: np.ndarray
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

    def trace(self) -> InferenceTrace:
        return NO_TRACE


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


def input_of(request: Request, name: str) -> Tensor | None:
    """`get_input_tensor_by_name`."""
    array = request.inputs.get(name)
    return None if array is None else Tensor(name, array).put_on(request.device)


def output_of(response: InferenceResponse, name: str) -> Tensor | None:
    """`get_output_tensor_by_name`."""
    return next((one for one in response.output_tensors() if one.name() == name), None)


class Call(Request):
    """A request that a step sends to another model, which `callee` answers."""

    callee: ClassVar[Callable[["Call"], InferenceResponse]]

    def __init__(
        self,
        *,
        request_id: str = "",
        inputs: list[Tensor],
        requested_output_names: list[str],
        model_name: str,
        preferred_memory: PreferredMemory = NO_PREFERENCE,
        trace: InferenceTrace = NO_TRACE,
    ) -> None:
        expect(isinstance(requested_output_names, list))
        expect(isinstance(preferred_memory, PreferredMemory))
        expect(isinstance(trace, InferenceTrace))
        super().__init__(requested_output_names, None, **{t.name(): t.as_numpy() for t in inputs})
        self.model_name, self.preferred_memory = model_name, preferred_memory

    def exec(self) -> InferenceResponse:
        return self.callee()
