"""What an ONNX model says of itself: names, shapes, classes, metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, helper
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from ppocr_converters.errors import ModelError

#: A dimension: its size, or a name (or "?") where it is dynamic.
Dimension = int | str


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file that is loaded once, when its model is first asked for and not `loaded` yet."""

    path: Path
    loaded: ModelProto | None = field(default=None, repr=False, compare=False)

    @cached_property
    def model(self) -> ModelProto:
        """The model; see `load_onnx`."""
        return load_onnx(self.path) if self.loaded is None else self.loaded


def load_onnx(path: Path) -> ModelProto:
    """Read an ONNX file.

    Raises:
        ModelError: it is missing, damaged or not ONNX, or has weights outside its folder.
    """
    try:
        model = onnx.load(path, "protobuf", load_external_data=False)
        _check_external(model, path)
        load_external_data_for_model(model, str(path.parent))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except (DecodeError, ValidationError, ValueError) as error:
        raise ModelError(f"{path} is not an ONNX file, or a damaged one: {error}") from error
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{path} is not an ONNX model: it has no nodes or no outputs")
    return model


def _check_external(model: ModelProto, path: Path) -> None:
    """Refuse weights that the model says lie elsewhere than in a plain file beside it."""
    for tensor in filter(uses_external_data, _tensors(model)):
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        beside = path.parent / location
        if Path(location).name != location or beside.is_symlink() or not beside.is_file():
            raise ModelError(
                f"{path} says that weights of it lie in {location!r}; allowed is a plain file "
                "in the model's own folder"
            )


def _tensors(message: Any) -> Iterator[onnx.TensorProto]:
    """Every tensor in a message, wherever: weights, constants, those of subgraphs."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            # A repeated field's value is a sequence, which no message is.
            for part in value if isinstance(value, Sequence) else (value,):
                yield from _tensors(part)


def inputs(model: ModelProto) -> tuple[Tensor, ...]:
    """The inputs that a caller feeds; old files list their weights as inputs too."""
    weights = {i.name for i in model.graph.initializer}
    return tuple(_tensor(i) for i in model.graph.input if i.name not in weights)


def outputs(model: ModelProto) -> tuple[Tensor, ...]:
    """The outputs of a model."""
    return tuple(_tensor(o) for o in model.graph.output)


def known_outputs(model: ModelProto) -> tuple[Tensor, ...]:
    """The outputs, with what follows from the graph where the file does not declare it."""
    declared = outputs(model)
    if all(isinstance(tensor.shape[-1] if tensor.shape else "", int) for tensor in declared):
        return declared
    try:
        inferred = outputs(onnx.shape_inference.infer_shapes(model, data_prop=True))
    except (onnx.shape_inference.InferenceError, ValueError):  # it cannot serialise more than 2 GB
        return declared
    pairs = zip(declared, inferred, strict=True)
    return tuple(b if len(b.shape) >= len(a.shape) else a for a, b in pairs)


def metadata(model: ModelProto) -> dict[str, str]:
    """The free-form properties stored in a model."""
    return {p.key: p.value for p in model.metadata_props}


def is_compiled(model: ModelProto) -> bool:
    """Whether the model is one that `compile` wrote."""
    return "ppocr_kind" in metadata(model)


def class_count(model: ModelProto) -> int:
    """The classes of a recogniser or classifier that was not compiled.

    Raises:
        ModelError: the model does not say it.
    """
    last = outputs(model)[0].shape[-1]
    if isinstance(last, int) and last > 0:
        return last
    raise ModelError(f"the class count is not in the model: its output is {outputs(model)[0]}")


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    # Old exporters write -1 for a size that is not known.
    shape = tuple(d.dim_value if d.dim_value > 0 else d.dim_param or "?" for d in kind.shape.dim)
    try:
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    except KeyError:  # no tensor, or of no type
        dtype = "?"
    return Tensor(value.name, dtype, shape)


def describe(model: ModelProto) -> dict[str, object]:
    """The facts of a model for a manifest: opset, IR version, nodes, inputs and outputs."""
    return {
        "opset": {o.domain or "ai.onnx": o.version for o in model.opset_import},
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "nodes": len(model.graph.node),
        "inputs": {t.name: [t.dtype, list(t.shape)] for t in inputs(model)},
        "outputs": {t.name: [t.dtype, list(t.shape)] for t in outputs(model)},
        "metadata": {k: v for k, v in metadata(model).items() if k != "character"},
    }
