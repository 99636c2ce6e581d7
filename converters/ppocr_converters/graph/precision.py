"""Lower precision: a compiled float32 model in float16, or quantised to int8.

What the server feeds and gets stays as it is; so does the arithmetic added by `compile`, which is
exact work on pixels and class numbers. Nothing of lower precision is taken on trust: it is proven
against the source of the float32 model, within the bounds of precisions.yml.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from ppocr_converters.files import sha256_file
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.added_nodes import PREFIX
from ppocr_converters.graph.onnx_model import OnnxFile, describe, load_onnx, metadata
from ppocr_converters.proof.tensors import compare_file
from ppocr_converters.repository.manifest import Manifest, make_once
from ppocr_converters.repository.model_build import COMPILED, CompiledModel
from ppocr_engine.spec import Device

logger = logging.getLogger(__name__)

#: Nodes worth quantising, of so many channels in and out; all else stays float32 between them.
#: Of fewer channels are the first layers, and those that weigh channels: int8 gains nothing there.
QUANTISED, CHANNELS = ("Conv",), 96
#: Kept in float32 beside what the tool keeps itself: sums over many values and what normalises by
#: them lose too much in float16, and ONNX Runtime fuses a layer norm of half of each wrongly.
EXACT = ("Div", "Pow", "ReduceMean", "Softmax", "Sqrt", "Sub")

Feeds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Calibration:
    """What int8 is calibrated with.

    Attributes:
        detector: a compiled detector in float32: it finds the lines to calibrate on.
        parameters: of the steps that will serve: widths, batch sizes, options and limits.
        pictures: what it is calibrated on; by default rendered pages.
    """

    device: Device
    detector: Path
    parameters: Mapping[str, str]
    pictures: Sequence[Path] = ()


def lower(
    model: CompiledModel,
    folder: Path,
    calibration: Calibration | None = None,
    *,
    bounds: Sequence[str] = (),
) -> CompiledModel:
    """Bring a compiled float32 model to int8, or without calibration to float16, and prove it.

    The folder gets model.onnx and manifest.json; nothing is done twice. `bounds` are NAME=VALUE,
    in place of those of the precision.

    Raises:
        ConvertError: it cannot be made.
        ProofError: it is further from its source than the bounds allow.
    """
    precision = "fp16" if calibration is None else "int8"
    inputs: Manifest = {
        "model": model.manifest["files"],
        "precision": precision,
        "bounds": list(bounds),
    }
    if calibration is not None:
        inputs |= {
            "device": calibration.device,
            "parameters": dict(calibration.parameters),
            "pictures": [sha256_file(picture) for picture in calibration.pictures],
        }

    def make(fresh: Path) -> Manifest:
        logger.info("bringing %s to %s", model.source.name, precision)
        lowered = lower_model(model.file.model, calibration)
        onnx.save(lowered, fresh / COMPILED)
        logger.info("proving %s in %s", model.source.name, precision)
        file = OnnxFile(fresh / COMPILED, lowered)
        proof = compare_file(file, model.source.path, bounds=bounds).require(file)
        return {
            "name": model.source.name,
            "compiled": describe(lowered),
            "proof": dataclasses.asdict(proof),
            "files": {COMPILED: sha256_file(fresh / COMPILED)},
        }

    manifest, _ = make_once(f"{model.source.name} in {precision}", folder, inputs, make)
    return CompiledModel(model.source, OnnxFile(folder / COMPILED), manifest)


def lower_model(model: ModelProto, calibration: Calibration | None = None) -> ModelProto:
    """A compiled model in int8, or without calibration in float16."""
    from ppocr_converters.graph.calibration import calibration_feeds

    facts = metadata(model)
    if calibration is None:
        lowered = to_float16(model)
        facts |= {"ppocr_precision": "fp16"}
    else:
        one = calibration
        feeds = calibration_feeds(model, one.detector, one.parameters, one.pictures)
        lowered = to_int8(model, feeds, one.device)
        facts |= {"ppocr_quantised_for": one.device, "ppocr_precision": "int8"}
    lowered.producer_name, lowered.producer_version = "ppocr-convert", ""
    onnx.helper.set_model_props(lowered, facts)
    return lowered


def to_float16(model: ModelProto) -> ModelProto:
    """Weights and activations in float16; inputs, outputs and the nodes of `compile` stay."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    named = name_nodes(model)
    blocked = [node.name for node in named.graph.node if _is_own(node)]
    converted: ModelProto = convert_float_to_float16(
        named,
        keep_io_types=True,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *EXACT],
        node_block_list=blocked,
    )
    OnnxModel.graph_topological_sort(converted.graph)  # the casts stand at its end
    return graph.remove_unused(converted)


def to_int8(model: ModelProto, feeds: Iterator[Feeds], device: Device) -> ModelProto:
    """Convolutions and matrix products in int8, with scales from what they see in `feeds`."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    reader = SimpleNamespace(get_next=partial(next, feeds, None))
    # CPUs multiply unsigned activations with signed weights, TensorRT and CUDA signed ones with a
    # zero point of 0.
    signed = device == "gpu"
    options = {"ActivationSymmetric": signed, "WeightSymmetric": True}
    if signed:
        options["QuantizeBias"] = False  # TensorRT dequantises no int32
    with tempfile.TemporaryDirectory(prefix="ppocr-int8-") as scratch:
        path = Path(scratch) / COMPILED
        named = name_nodes(model)
        onnx.save(named, path)
        quantize_static(
            str(path),
            str(path.with_suffix(".int8.onnx")),
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=_delicate(named),
            per_channel=True,
            # Without VNNI a CPU adds two products in 16 bits, which must not overflow.
            reduce_range=device == "cpu",
            activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options=options,
        )
        return load_onnx(path.with_suffix(".int8.onnx"))


def name_nodes(model: ModelProto) -> ModelProto:
    """Give every node a name of its own: the tools go by names."""
    model = graph.copy_model(model)
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    return model


def _delicate(model: ModelProto) -> list[str]:
    """The names of convolutions of few channels, or of each apart: little work, much to lose."""
    shapes = {name: weight.shape for name, weight in graph.constants(model).items()}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and min(shapes.get(node.input[1], (0, 0))[:2]) < CHANNELS
    ]


def _is_own(node: Any) -> bool:
    """Whether `compile` added the node."""
    names = {"INDICES", "PROBABILITIES", "PROBABILITY"}
    return any(name.startswith(PREFIX) or name in names for name in (*node.input, *node.output))
