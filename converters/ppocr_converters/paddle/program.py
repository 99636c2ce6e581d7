"""What a Paddle program says of itself, read without Paddle: ends, variables, operators.

A Paddle 2 program (`.pdmodel`, `__model__`) is a serialized ProgramDesc of Paddle's
framework.proto; of that, only the fields named below are read. A Paddle 3 program
(`inference.json`) is a list of operators in JSON.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_converters.errors import ModelError
from ppocr_converters.graph.onnx_model import Tensor

#: Names of the data type numbers in framework.proto.
TYPES = {0: "bool", 1: "int16", 2: "int32", 3: "int64", 4: "float16", 5: "float32", 6: "float64"}
TYPES |= {20: "uint8", 21: "int8", 22: "bfloat16"}
#: The same of a Paddle 3 program.
PIR_TYPES = {"t_bool": "bool", "t_f16": "float16", "t_bf16": "bfloat16", "t_f32": "float32"}
PIR_TYPES |= {"t_f64": "float64", "t_i8": "int8", "t_ui8": "uint8", "t_i16": "int16"}
PIR_TYPES |= {"t_i32": "int32", "t_i64": "int64"}
#: How a Paddle 3 program abbreviates the dialects of its operators.
DIALECTS = {"0": "builtin", "1": "pd_op", "2": "cf", "3": "custom_op", "4": "pd_dist"}


@dataclass(frozen=True)
class Program:
    """A network's description.

    Attributes:
        inputs: that a caller feeds.
        outputs: that a caller gets.
        weights: the names of all persistable variables, sorted.
        operators: the types of all operators.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[str, ...]
    operators: frozenset[str]

    @property
    def quantisers(self) -> list[str]:
        """Those operators that only simulate or undo a quantisation."""
        return sorted(o for o in self.operators if "quantize" in o)


def read_program(path: Path) -> Program:
    """Read a program of either format.

    Raises:
        ModelError: missing, truncated or not a Paddle program.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    try:
        program = _read_json(data) if path.suffix == ".json" else _read_description(data)
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise ModelError(f"{path} is truncated or is not a Paddle program") from error
    if not program.operators:
        raise ModelError(f"{path} is truncated or is not a Paddle program")
    return program


def _read_json(data: bytes) -> Program:
    document = json.loads(data)
    if document["base_code"]["magic"] != "pir":
        raise ValueError("not a Paddle 3 program")
    operators = document["program"]["regions"][0]["blocks"][0]["ops"]
    types = {o["%"]: o["TT"] for op in operators for o in _results(op) if "TT" in o}
    given, answered, weights, names = [], [], [], set()
    for operator in operators:
        kind = operator["#"]
        if kind == "p":
            weights.append(operator["A"][3])
            continue
        dialect, _, name = kind.partition(".")
        names.add(f"{DIALECTS.get(dialect, dialect)}.{name}")
        if name == "feed" or (name == "data" and not operator.get("I")):
            given.append(_pir_tensor(_attribute(operator, "name"), operator["O"][0]["TT"]))
        elif name in ("fetch", "shadow_output"):
            source = types[operator["I"][0]["%"]]
            answered.append(_pir_tensor(_attribute(operator, "name"), source))
    return Program(tuple(given), tuple(answered), tuple(sorted(weights)), frozenset(names))


def _results(operator: dict[str, Any]) -> list[dict[str, Any]]:
    results = operator.get("O", [])
    return [results] if isinstance(results, dict) else results


def _attribute(operator: dict[str, Any], name: str) -> str:
    attributes = [*operator.get("A", []), *operator.get("OA", [])]
    return next(a["AT"]["D"] for a in attributes if isinstance(a, dict) and a.get("N") == name)


def _pir_tensor(name: str, kind: dict[str, Any]) -> Tensor:
    element, dims = kind["D"][0]["#"].partition(".")[2], kind["D"][1]
    return Tensor(name, PIR_TYPES.get(element, element), _shape(dims))


def _read_description(data: bytes) -> Program:
    """ProgramDesc: blocks 1; BlockDesc: vars 3, ops 4."""
    block = next(value for number, value in _fields(data) if number == 1)
    variables: dict[str, tuple[Tensor, bool]] = {}
    given, answered, names = [], [], set()
    for number, value in _fields(block):
        if number == 3:
            tensor, persistable = _read_variable(value)
            variables[tensor.name] = (tensor, persistable)
        elif number == 4:
            kind, sources, targets = _read_operator(value)
            names.add(kind)
            if kind == "feed":
                given += targets
            elif kind == "fetch":
                answered += sources
    weights = sorted(n for n, (_, kept) in variables.items() if kept and n not in ("feed", "fetch"))
    return Program(
        tuple(variables[name][0] for name in given),
        tuple(variables[name][0] for name in answered),
        tuple(weights),
        frozenset(names),
    )


def _read_variable(data: bytes) -> tuple[Tensor, bool]:
    """VarDesc: name 1, type 2, persistable 3; VarType: lod_tensor 3; its tensor 1."""
    name, element, persistable = "", 5, False
    dims: list[int] = []
    for number, value in _fields(data):
        if number == 1:
            name = value.decode()
        elif number == 3:
            persistable = bool(value)
        elif number == 2:
            dense = [v for n, v in _fields(value) if n == 3]
            for description in [v for n, v in _fields(dense[0]) if n == 1] if dense else []:
                element, dims = tensor_description(description)
    return Tensor(name, TYPES.get(element, str(element)), _shape(dims)), persistable


def _read_operator(data: bytes) -> tuple[str, list[str], list[str]]:
    """OpDesc: inputs 1, outputs 2 (each: parameter 1, arguments 2), type 3."""
    kind = ""
    ends: dict[int, list[str]] = {1: [], 2: []}
    for number, value in _fields(data):
        if number == 3:
            kind = value.decode()
        elif number in ends:
            port = list(_fields(value))
            if port[0][1] in (b"X", b"Out"):
                ends[number] += [v.decode() for n, v in port if n == 2]
    return kind, ends[1], ends[2]


def tensor_description(data: bytes) -> tuple[int, list[int]]:
    """The data type number and the dimensions in a serialized TensorDesc."""
    element = -1
    dims: list[int] = []
    for number, value in _fields(data):
        if number == 1:
            element = value
        elif isinstance(value, bytes):  # packed
            dims += [_signed(v) for v in _varints(value)]
        else:
            dims.append(_signed(value))
    return element, dims


def _shape(dims: list[int]) -> tuple[int | str, ...]:
    return tuple("?" if size < 0 else size for size in dims)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: number, and an int or the bytes of what is nested."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, position = _varint(data, position)
        if size is None or position + size > len(data):
            raise ValueError("truncated, or no protobuf message")
        yield tag >> 3, data[position : position + size]
        position += size


def _varints(data: bytes) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _varint(data, position)
        yield value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
