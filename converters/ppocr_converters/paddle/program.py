"""What Paddle wrote, read without Paddle: a program's ends, variables and operators.

A Paddle 2 program (`.pdmodel`, `__model__`) is a serialized ProgramDesc of Paddle's
framework.proto; of that, only the fields in `SCHEMA` are read. A Paddle 3 program
(`inference.json`) is a list of operators in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from ppocr_converters.errors import ModelError
from ppocr_converters.graph.onnx_model import Tensor

FIELD = re.compile(r"(\w+) (\d+) (\w+)(\*?)")
SCHEMA = """
ProgramDesc: blocks 1 BlockDesc*
BlockDesc: vars 3 VarDesc*, ops 4 OpDesc*
VarDesc: name 1 string, type 2 VarType, persistable 3 bool
VarType: lod_tensor 3 LoDTensorDesc
LoDTensorDesc: tensor 1 TensorDesc
TensorDesc: data_type 1 int32, dims 2 int64*
OpDesc: inputs 1 Port*, outputs 2 Port*, type 3 string, attrs 4 Attr*
Port: parameter 1 string, arguments 2 string*
Attr: name 1 string, type 2 int32, i 3 int32
"""

#: Names of the data type numbers in framework.proto.
TYPES = {0: "bool", 1: "int16", 2: "int32", 3: "int64", 4: "float16", 5: "float32", 6: "float64"}
TYPES |= {20: "uint8", 21: "int8", 22: "bfloat16"}
#: The same of a Paddle 3 program.
PIR_TYPES = {"t_bool": "bool", "t_f16": "float16", "t_bf16": "bfloat16", "t_f32": "float32"}
PIR_TYPES |= {"t_f64": "float64", "t_i8": "int8", "t_ui8": "uint8", "t_i16": "int16"}
PIR_TYPES |= {"t_i32": "int32", "t_i64": "int64"}
ISNAN = "isnan_v2"
#: How a Paddle 3 program abbreviates the dialects of its operators.
DIALECTS = {"0": "builtin", "1": "pd_op", "2": "cf", "3": "custom_op", "4": "pd_dist"}


def message_classes(package: str, schema: str) -> dict[str, Any]:
    """The class of each message, with the fields that are named; others are kept as they came.

    Args:
        package: a name of its own for these messages.
        schema: a line for each message, `Name: field number type, ...`; types are those of
            protobuf or messages of the schema, and a star makes a field repeated.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package)
    for line in schema.strip().splitlines():
        message, _, fields = line.partition(":")
        added = file.message_type.add(name=message)
        for name, number, kind, star in FIELD.findall(fields):
            label = field.LABEL_REPEATED if star else field.LABEL_OPTIONAL
            one = added.field.add(name=name, number=int(number), label=label)
            if kind[0].isupper():
                one.type_name = f".{package}.{kind}"
            else:
                one.type = field.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles([file.name], pool)
    return {name.rpartition(".")[2]: found for name, found in classes.items()}


@dataclass(frozen=True)
class Program:
    """A network's description.

    Attributes:
        weights: the names of all persistable variables, sorted.
        operators: the types of all operators.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[str, ...]
    operators: frozenset[str]

    def require_float(self, origin: Path) -> None:
        """Refuse a quantised program; lower precisions are made, and proven, from the float one.

        Raises:
            ModelError: it is quantised; says by which operators, and what to take in its place.
        """
        if found := sorted(name for name in self.operators if "quantize" in name):
            raise ModelError(
                f"{origin} is quantised, by {', '.join(found)}; take the float model that it was "
                f"made from, and `build --precision int8` where int8 is wanted"
            )


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
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, DecodeError) as error:
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


@cache
def framework() -> Mapping[str, Any]:
    """The classes of Paddle's messages that are in `SCHEMA`."""
    return message_classes("ppocr_paddle", SCHEMA)


def _read_description(data: bytes) -> Program:
    block = framework()["ProgramDesc"].FromString(data).blocks[0]
    tensors = {variable.name: _variable(variable) for variable in block.vars}
    kept = {variable.name for variable in block.vars if variable.persistable}
    return Program(
        tuple(tensors[name] for op in block.ops if op.type == "feed" for name in _at(op.outputs)),
        tuple(tensors[name] for op in block.ops if op.type == "fetch" for name in _at(op.inputs)),
        tuple(sorted(kept - {"feed", "fetch"})),
        frozenset(op.type for op in block.ops),
    )


def _variable(variable: Any) -> Tensor:
    tensor = variable.type.lod_tensor.tensor
    element = tensor.data_type if tensor.HasField("data_type") else 5
    return Tensor(variable.name, TYPES.get(element, str(element)), _shape(tensor.dims))


def _at(ports: Iterable[Any]) -> list[str]:
    """The arguments of `feed` and `fetch` that are the network's own tensors."""
    return [name for port in ports if port.parameter in ("X", "Out") for name in port.arguments]


def _shape(dims: Iterable[int]) -> tuple[int | str, ...]:
    return tuple("?" if size < 0 else size for size in dims)


def without_isnan(program: bytes) -> bytes:
    """A Paddle 2 program whose `isnan_v2`, which the converter does not know, is `not_equal`.

    What is not equal to itself is not a number.
    """
    description = framework()["ProgramDesc"].FromString(program)
    for block in description.blocks:
        for operator in block.ops:
            if operator.type == ISNAN:
                operator.type = "not_equal"
                (x,) = (port for port in operator.inputs if port.parameter == "X")
                operator.inputs.add(parameter="Y", arguments=x.arguments)
                operator.attrs.add(name="axis", type=0, i=-1)
    changed: bytes = description.SerializeToString()
    return changed
