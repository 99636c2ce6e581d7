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
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import onnx
from onnx import ModelProto, TensorProto, helper

from ppocr_converters.catalogue.entries import Normalisation
from ppocr_converters.errors import DictionaryError, ModelError
from ppocr_converters.files import digest_of, sha256_file
from ppocr_converters.graph import added_nodes as added
from ppocr_converters.graph import batchnorm_folding as affine
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.added_nodes import PREFIX, Port, Weights
from ppocr_converters.graph.dictionary import check_dictionary, stored_characters
from ppocr_converters.graph.kinds import CLASSIFIERS, expect_kind
from ppocr_converters.graph.onnx_model import class_count, inputs, is_compiled, metadata, outputs
from ppocr_converters.graph.pixel_head import flatten_head
from ppocr_converters.graph.standard_form import Standard, standard_form
from ppocr_converters.paddle.inference_yml import SETTINGS

if TYPE_CHECKING:
    from ppocr_converters.repository.model_source import ModelSource

logger = logging.getLogger(__name__)

NO_HEIGHT = (
    "the input height is not in the model; give it with --height (48 for recognisers since "
    "PP-OCRv3, 32 for older ones)"
)
HIGHEST_IR = 9  # the newest IR version that the oldest supported server reads


def compile_model(network: ModelProto, source: ModelSource) -> ModelProto:
    """Compile a converted network for serving, with all that is known of what it comes from.

    Args:
        network: the ONNX network as it was converted, float32 [N, 3, H, W] to probabilities.
        source: without characters of its own, a recogniser has those in the network's metadata.

    Returns:
        The compiled model, its dictionary and all else a server must know in its metadata.

    Raises:
        ModelError: of another kind than it, or its settings, is given as; compiled already; or of
            no form that can be compiled.
        DictionaryError: the characters do not fit the classes.
    """
    name, standard = source.name, _standard_of(network, source)
    found, norm = standard.kind, source.normalisations[standard.kind]
    facts = {
        "ppocr_kind": found,
        "ppocr_name": name,
        "ppocr_source_sha256": digest_of({path.name: sha256_file(path) for path in source.files}),
        "ppocr_mean": ",".join(map(repr, norm.mean)),
        "ppocr_std": ",".join(map(repr, norm.std)),
        **_source_facts(standard),
    }
    model = tidy(standard.model)
    if (rows := standard.height) is None:
        model = _compile_det(model, norm)
    else:
        classes = class_count(standard.model)
        facts |= {"ppocr_height": str(rows), "ppocr_classes": str(classes)}
        if found == "rec":
            stored, characters = metadata(network).get("character"), source.characters
            if not characters and stored is None:
                raise DictionaryError(
                    f"no dictionary came with {name}, which has {classes} classes; give it with "
                    f"--dict"
                )
            characters = characters or stored_characters(stored or "")
            check_dictionary(characters, source.space, classes)
            facts |= {"character": "\n".join(characters)}
            facts |= {"use_space_char": str(source.space).lower()}
        model = (_compile_rec if found == "rec" else _compile_cls)(model, norm, rows)
    expect_kind(found, source.own.kind, f"{name}, by its {SETTINGS},")
    facts |= {f"ppocr_{name}": str(value) for name, value in source.own.thresholds.items()}
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
    if standard.kind != "det" and standard.height is None:
        raise ModelError(f"{name}: {NO_HEIGHT}")
    for change in standard.changes:
        logger.info("%s: %s", name, change)
    return standard


def _source_facts(standard: Standard) -> dict[str, str]:
    """What a proof must know of how the source's answers become those of the compiled model."""
    facts = {"ppocr_activation": standard.activation.lower()} if standard.activation else {}
    if standard.output:
        facts["ppocr_output"] = str(standard.output)
    if standard.half:
        facts["ppocr_precision"] = "fp16"
    return facts


def tidy(model: ModelProto) -> ModelProto:
    """Clean a graph up without changing what it computes, in the order in which passes help."""
    passes: tuple[Callable[[ModelProto], ModelProto], ...] = (
        graph.constants_to_initializers,
        graph.fold_constants,
        graph.remove_identities,
        affine.fold_forward,
        affine.fold_backward,
        flatten_head,
        graph.keep_rows_equal,
        graph.remove_unused,
    )
    return reduce(lambda current, one_pass: one_pass(current), passes, model)


def _compile_det(model: ModelProto, norm: Normalisation) -> ModelProto:
    nodes, weights = added.normalise_pixels("DET_INPUT", inputs(model)[0].name, norm)
    squeeze = added.over_axis("Squeeze", outputs(model)[0].name, "PROBABILITY", 1, weights)
    return added.with_ends(
        model,
        [*nodes, *model.graph.node, squeeze],
        weights,
        [("DET_INPUT", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [("PROBABILITY", TensorProto.FLOAT, ["batch", "map_height", "map_width"])],
    )


def _compile_rec(model: ModelProto, norm: Normalisation, height: int) -> ModelProto:
    """A recogniser: rows of any width, whose padding is masked, to a class for each step."""
    answer, weights = outputs(model)[0].name, Weights()
    nodes = added.crops_to_input(model, norm, weights, padded=True)
    best, index = f"{PREFIX}best", f"{PREFIX}index"
    after = [
        *added.best_class(answer, 2, best, index, weights),
        added.over_axis("Squeeze", index, "INDICES", 2, weights),
        added.over_axis("Squeeze", best, "PROBABILITIES", 2, weights),
    ]
    steps = ["batch", "steps"]
    return added.with_ends(
        model,
        [*nodes, *model.graph.node, *after],
        weights,
        [
            ("CROPS", TensorProto.UINT8, ["batch", height, "width", 3]),
            ("WIDTHS", TensorProto.INT32, ["batch", 1]),
        ],
        [("INDICES", TensorProto.INT32, steps), ("PROBABILITIES", TensorProto.FLOAT, steps)],
    )


def _compile_cls(model: ModelProto, norm: Normalisation, height: int) -> ModelProto:
    """A classifier: rows of its one size, padded or not, to one class."""
    width, padded = CLASSIFIERS[height]
    weights = Weights()
    nodes = added.crops_to_input(model, norm, weights, padded=padded)
    best = added.best_class(outputs(model)[0].name, 1, "PROBABILITIES", "INDICES", weights)
    widths: list[Port] = [("WIDTHS", TensorProto.INT32, ["batch", 1])]
    one: Sequence[str | int] = ["batch", 1]
    return added.with_ends(
        model,
        [*nodes, *model.graph.node, *best],
        weights,
        [("CROPS", TensorProto.UINT8, ["batch", height, width, 3]), *(widths if padded else [])],
        [("INDICES", TensorProto.INT32, one), ("PROBABILITIES", TensorProto.FLOAT, one)],
    )


def classifier_parameters(model: ModelProto) -> dict[str, str]:
    """What `recognize` must know of a compiled classifier: its size, and how crops are fitted."""
    crops, *widths = inputs(model)
    _, height, width, _ = crops.shape
    return {
        "cls_height": str(height),
        "cls_width": str(width),
        "cls_resize": "pad" if widths else "stretch",
    }


def _finish(model: ModelProto, facts: Mapping[str, str]) -> ModelProto:
    """Store the facts, pin the IR version, and let the checker see the result."""
    model = graph.remove_unused(model)
    model.ir_version = min(model.ir_version, HIGHEST_IR)
    model.producer_name, model.producer_version = "ppocr-convert", ""
    del model.metadata_props[:]
    helper.set_model_props(model, dict(facts))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the compiled graph is not valid ONNX: {error}") from error
    return model
