"""Graph compile: a network that takes and answers what a server should carry.

A PP-OCR network takes normalised float pictures and answers probabilities of every class. Served
like that, a float picture (4 bytes for each channel of each pixel) goes in, and 6,625 floats for
each time step come out. Here the arithmetic moves into the graph: uint8 pixels go in as they lie
in memory, and the best class with its probability comes out.

    det: DET_INPUT uint8 [N, H, W, 3]                             -> PROBABILITY float32 [N, H, W]
    rec: CROPS uint8 [N, height, W, 3], WIDTHS int32 [N, 1]       -> INDICES int32 [N, T],
                                                                     PROBABILITIES float32 [N, T]
    cls: CROPS uint8 [N, 48, 192, 3], WIDTHS int32 [N, 1]          -> INDICES int32 [N, 1],
         or CROPS uint8 [N, 80, 160, 3] alone                         PROBABILITIES float32 [N, 1]
    page_orientation: CROPS uint8 [N, 224, 224, 3]                 -> as cls

The nodes were chosen by measuring ONNX Runtime on one core: transposing bytes before the cast is 7
times faster than normalising in NHWC; BatchNormalization is one pass where Mul and Add are two (4.6
against 6.9 ms for 960x960); TopK with k = 1 is exactly ArgMax, the first of equals, and ReduceMax
in one pass (4.3 against 6.5 ms for 8 x 40 x 6625). The normalisation is not folded into the first
convolution: its padding is 0 after normalisation, so that the borders would differ.
"""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from ppocr_converters.catalogue.entries import Kind, Normalisation
from ppocr_converters.errors import ModelError
from ppocr_converters.files import digest_of, sha256_file
from ppocr_converters.graph import convolutions
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.dictionary import check_dictionary, find_characters
from ppocr_converters.graph.kinds import CLASSIFIERS, expect_kind
from ppocr_converters.graph.onnx_model import class_count, inputs, is_compiled, metadata, outputs
from ppocr_converters.graph.standard_form import Standard, standard_form
from ppocr_converters.paddle.inference_yml import SETTINGS

if TYPE_CHECKING:
    from ppocr_converters.repository.models import ModelSource

logger = logging.getLogger(__name__)

NO_HEIGHT = (
    "the input height is not in the model; give it with --height (48 for recognisers since "
    "PP-OCRv3, 32 for older ones)"
)
HIGHEST_IR = 9  # the newest IR version that the oldest supported server reads
PREFIX = "ppocr."  # of every tensor added here: no exporter uses it

#: Zeros, in normalised values, from each row's width on: PaddleOCR's padding.
MASK = """
    shape = Shape (CROPS)
    width = Gather <axis = 0> (shape, width_axis)
    columns = Range (first, width, step)
    columns32 = Cast <to = 6> (columns)
    inside = Less (columns32, WIDTHS)
    inside4 = Unsqueeze (inside, axes_1_2)
    mask = Cast <to = 1> (inside4)
    network = Mul (normalised, mask)
"""


def compile_model(network: ModelProto, source: ModelSource) -> ModelProto:
    """Compile a network for serving, with all that a server must know of it in its metadata.

    A recogniser whose `source` has no characters has those in the metadata of `network`.

    Raises:
        ModelError: of another kind than it, or its settings, is given as; compiled already; or of
            no form that can be compiled.
        DictionaryError: the characters do not fit the classes.
    """
    standard, norm = _standard_of(network, source), source.normalisations
    kind, rows, model = standard.kind, standard.height, standard.model
    facts = {
        "ppocr_kind": kind,
        "ppocr_name": source.name,
        "ppocr_source_sha256": digest_of({path.name: sha256_file(path) for path in source.files}),
        "ppocr_mean": ",".join(map(repr, norm[kind].mean)),
        "ppocr_std": ",".join(map(repr, norm[kind].std)),
        **standard.facts,
    }
    if rows is not None:
        facts |= {"ppocr_height": str(rows), "ppocr_classes": str(class_count(model))}
    if kind == "rec":
        facts |= _dictionary_facts(network, source, class_count(model))
    facts |= {f"ppocr_{name}": str(value) for name, value in source.own.thresholds.items()}
    model = tidy(model)
    _surround(model, norm[kind], _added_nodes(kind, rows))
    return _finish(model, facts)


def _standard_of(network: ModelProto, source: ModelSource) -> Standard:
    """The network in the form that is compiled; a ModelError names it where it has none."""
    name = source.name
    if is_compiled(network):
        raise ModelError(f"{name} is compiled already; give the network it was made from")
    try:
        standard = standard_form(network, height=source.height)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    expect_kind(standard.kind, source.kind, name)
    expect_kind(standard.kind, source.own.kind, f"{name}, by its {SETTINGS},")
    if standard.kind != "det" and standard.height is None:
        raise ModelError(f"{name}: {NO_HEIGHT}")
    for change in standard.changes:
        logger.info("%s: %s", name, change)
    return standard


def _dictionary_facts(network: ModelProto, source: ModelSource, classes: int) -> dict[str, str]:
    _, characters = find_characters(source, metadata(network).get("character"), classes)
    check_dictionary(characters, source.space, classes)
    return {"character": "\n".join(characters), "use_space_char": str(source.space).lower()}


def tidy(model: ModelProto) -> ModelProto:
    """A graph cleaned up without changing what it computes, in the order in which passes help."""
    model = copy.deepcopy(model)
    graph.constants_to_initializers(model)
    graph.fold_constants(model)
    graph.remove_identities(model)
    convolutions.fold_forward(model)
    convolutions.fold_backward(model)
    convolutions.flatten_head(model)
    graph.keep_rows_equal(model)
    graph.remove_unused(model)
    return model


def _added_nodes(kind: Kind, rows: int | None) -> str:
    """The nodes around a network, in ONNX's text form; `network` and `answer` are its own ends."""

    def normalised(pixels: str, target: str) -> str:
        return f"""
            planes = Transpose <perm = [0, 3, 1, 2]> ({pixels})
            floats = Cast <to = 1> (planes)
            {target} = BatchNormalization <epsilon = 0.0> (floats, one, zero, mean, variance)
        """

    if rows is None:
        return f"""{kind} (uint8[batch, height, width, 3] DET_INPUT)
                => (float[batch, map_height, map_width] PROBABILITY) {{
            {normalised("DET_INPUT", "network")}
            PROBABILITY = Squeeze (answer, axes_1)
        }}"""
    if kind == "rec":
        return f"""{kind} (uint8[batch, {rows}, width, 3] CROPS, int32[batch, 1] WIDTHS)
                => (int32[batch, steps] INDICES, float[batch, steps] PROBABILITIES) {{
            {normalised("CROPS", "normalised")}
            {MASK}
            best, index64 = TopK <axis = 2> (answer, k)
            index = Cast <to = 6> (index64)
            INDICES = Squeeze (index, axes_2)
            PROBABILITIES = Squeeze (best, axes_2)
        }}"""
    width, padded = CLASSIFIERS[rows]
    return f"""{kind} (uint8[batch, {rows}, {width}, 3] CROPS{", int32[batch, 1] WIDTHS" * padded})
            => (int32[batch, 1] INDICES, float[batch, 1] PROBABILITIES) {{
        {normalised("CROPS", "normalised")}
        {MASK if padded else "network = Gather <axis = 1> (normalised, red_first)"}
        PROBABILITIES, index64 = TopK <axis = 1> (answer, k)
        INDICES = Cast <to = 6> (index64)
    }}"""


def _surround(model: ModelProto, norm: Normalisation, text: str) -> None:
    """Put nodes and the ends that they have around a network."""
    added = onnx.parser.parse_graph(text)
    weights = {
        "one": np.ones(3, np.float32),
        "zero": np.zeros(3, np.float32),
        "mean": (np.array(norm.mean) * 255).astype(np.float32),
        "variance": ((np.array(norm.std) * 255) ** 2).astype(np.float32),
        "red_first": np.array([2, 1, 0], np.int64),
        "width_axis": np.array(2, np.int64),
        "first": np.array(0, np.int64),
        "step": np.array(1, np.int64),
        "axes_1_2": np.array([1, 2], np.int64),
        "k": np.array([1], np.int64),
        "axes_1": np.array([1], np.int64),
        "axes_2": np.array([2], np.int64),
    }
    names = {name: PREFIX + name for node in added.node for name in (*node.input, *node.output)}
    weights = {PREFIX + name: value for name, value in weights.items() if name in names}
    names |= {end.name: end.name for end in (*added.input, *added.output)}
    names |= {"network": inputs(model)[0].name, "answer": outputs(model)[0].name}
    after = next(at for at, node in enumerate(added.node) if "answer" in node.input)
    graph.rename_in_nodes(added.node, names)
    for node in added.node:
        node.ClearField("domain")
    nodes = [*added.node[:after], *model.graph.node, *added.node[after:]]
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    initializers = [*model.graph.initializer, *initializers]
    name = model.graph.name or "ppocr"
    surrounded = helper.make_graph(nodes, name, added.input, added.output, initializers)
    model.graph.CopyFrom(surrounded)


def classifier_parameters(model: ModelProto) -> dict[str, str]:
    """What `recognize` must know of a compiled classifier: its size, and how crops are fitted."""
    crops, *widths = inputs(model)
    _, height, width, _ = crops.shape
    return {
        "cls_height": str(height),
        "cls_width": str(width),
        "cls_resize": "pad" if widths else "stretch",
    }


def cast_first(model: ModelProto) -> ModelProto:
    """The same model with its pixels cast before they are transposed, as TensorRT needs it.

    TensorRT takes uint8 at a network's inputs only, and only to convert it to floats. On a CPU it
    costs 3 % of a detector's time to transpose floats in place of bytes. The result is the same to
    the bit.
    """
    model = copy.deepcopy(model)
    pixels, nodes = inputs(model)[0].name, model.graph.node
    transpose = next(n for n in nodes if n.op_type == "Transpose" and n.input[0] == pixels)
    cast = next(n for n in nodes if n.op_type == "Cast" and n.input[0] == transpose.output[0])
    values, target = f"{PREFIX}values", cast.output[0]
    # Each in the other's place, so that the nodes stay in order.
    transpose.CopyFrom(helper.make_node("Cast", [pixels], [values], to=TensorProto.FLOAT))
    cast.CopyFrom(helper.make_node("Transpose", [values], [target], perm=[0, 3, 1, 2]))
    for node in nodes:
        if node.op_type == "Shape" and node.input[0] == pixels:
            node.input[0] = values
    return model


def _finish(model: ModelProto, facts: dict[str, str]) -> ModelProto:
    """Store the facts, pin the IR version, and let the checker see the result."""
    model.ir_version = min(model.ir_version, HIGHEST_IR)
    model.producer_name, model.producer_version = "ppocr-convert", ""
    del model.metadata_props[:]
    helper.set_model_props(model, facts)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the compiled graph is not valid ONNX: {error}") from error
    return model
