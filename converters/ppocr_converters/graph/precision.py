"""Lower precision: a compiled float32 model in float16, or quantised to int8.

What the server feeds and gets stays as it is; so does the arithmetic added by `compile`, which is
exact work on pixels and class numbers. Nothing of lower precision is taken on trust: it is proven
against the source of the float32 model, within the bounds of precisions.yml.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from ppocr_converters.files import sha256_file
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.compile import PREFIX
from ppocr_converters.graph.kinds import kind_of
from ppocr_converters.graph.onnx_model import OnnxFile, describe, load_onnx, metadata
from ppocr_converters.proof.networks import Bytes, compiled_network
from ppocr_converters.proof.tensors import compare_file
from ppocr_converters.repository.configuration import pipeline_of
from ppocr_converters.repository.manifest import Manifest, make_once
from ppocr_converters.repository.models import COMPILED, CompiledModel
from ppocr_engine.spec import ONNXRUNTIME, Device
from ppocr_pipeline.detection import det_input
from ppocr_pipeline.orientation.page import read_page
from ppocr_pipeline.pipeline import Pipeline
from ppocr_pipeline.resize import pad_tiny

logger = logging.getLogger(__name__)

#: Nodes worth quantising, of so many channels in and out; all else stays float32 between them.
#: Of fewer channels are the first layers, and those that weigh channels: int8 gains nothing there.
QUANTISED, CHANNELS = ("Conv",), 96
#: Kept in float32 beside what the tool keeps itself: sums over many values and what normalises by
#: them lose too much in float16, and ONNX Runtime fuses a layer norm of half of each wrongly.
EXACT = ("Div", "Pow", "ReduceMean", "Softmax", "Sqrt", "Sub")
#: Pictures, and lines of them, to calibrate on at the most: more hardly move the scales.
PICTURES, LINES = 24, 160
#: Rendered pages beside the samples: their seeds, and the lines on each.
SEEDS, LINES_ON_PAGE = range(100, 104), 12

Feeds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Calibration:
    """What int8 is calibrated with.

    Attributes:
        detector: a compiled detector in float32: it finds the lines to calibrate on.
        parameters: of the steps that will serve: widths, batch sizes, options and limits.
        pictures: what it is calibrated on; by default samples and rendered pages.
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
    facts = metadata(model)
    if calibration is None:
        lowered = to_float16(model)
        facts |= {"ppocr_precision": "fp16"}
    else:
        lowered = to_int8(model, calibration_feeds(model, calibration), calibration.device)
        facts |= {"ppocr_quantised_for": calibration.device, "ppocr_precision": "int8"}
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
    graph.remove_unused(converted)
    return converted


def to_int8(model: ModelProto, feeds: Iterator[Feeds], device: Device) -> ModelProto:
    """Convolutions in int8, with scales from what they see in `feeds`."""
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
    """A copy in which every node has a name of its own: the tools go by names."""
    model = copy.deepcopy(model)
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    return model


def _delicate(model: ModelProto) -> list[str]:
    """The names of convolutions of few channels, or of each apart: little work, much to lose."""
    shapes = {weight.name: weight.dims for weight in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and min(shapes.get(node.input[1], (0, 0))[:2]) < CHANNELS
    ]


def _is_own(node: Any) -> bool:
    """Whether `compile` added the node."""
    names = {"INDICES", "PROBABILITIES", "PROBABILITY"}
    return any(name.startswith(PREFIX) or name in names for name in (*node.input, *node.output))


def calibration_feeds(model: ModelProto, calibration: Calibration) -> Iterator[Feeds]:
    """Inputs of a compiled detector or recogniser, made from pictures by the served code."""
    pages = islice(_pages(calibration.pictures), PICTURES)
    networks = {"det": compiled_network(calibration.detector, ONNXRUNTIME)}
    pipeline = pipeline_of(calibration.parameters, networks, ())
    if kind_of(model) != "det":
        yield from _line_feeds(pipeline, pages)
        return
    for page in pages:
        fed, *_ = det_input(pad_tiny(page), pipeline.options, pipeline.limits, pipeline.canvases)
        yield {"DET_INPUT": fed}


def _line_feeds(pipeline: Pipeline, pages: Iterator[Bytes]) -> Iterator[Feeds]:
    """The lines of the pages, batched and padded as they are served."""
    left, options = LINES, pipeline.options
    for page in pages:
        pixels = pad_tiny(page)
        boxes = pipeline.detect(pixels)[0][:left]
        left -= len(boxes)
        batches = pipeline.plan.batches(boxes, options, pipeline.limits)
        reading = read_page(pixels, boxes, batches, pipeline.plan, options, pipeline.limits, ())
        for call in next(reading):
            yield dict(call.feeds)
        if not left:
            return


def _pages(pictures: Sequence[Path]) -> Iterator[Bytes]:
    from ppocr_converters.pictures.render import render_page
    from ppocr_converters.proof.pictures import read_files, samples

    for picture in read_files(pictures) if pictures else samples():
        yield picture.pixels
    if not pictures:
        yield from (render_page(seed, LINES_ON_PAGE).image for seed in SEEDS)
