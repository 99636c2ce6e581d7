"""Pictures read by a set of compiled models and by the models they were made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto

from ppocr_converters.graph.dictionary import class_names
from ppocr_converters.graph.onnx_model import inputs, load_onnx, metadata
from ppocr_converters.proof import networks
from ppocr_converters.proof.lines import Found, ReadingProof, compare_readings
from ppocr_converters.proof.pictures import proof_pictures
from ppocr_converters.proof.tensors import normalisation_of, tolerance_for
from ppocr_converters.proof.tolerance import loosest
from ppocr_converters.repository.configuration import configure
from ppocr_converters.repository.deployment_plan import Plan, engine_of
from ppocr_engine.machine import available_cores
from ppocr_pipeline.pipeline import Network, Pipeline
from ppocr_pipeline.recognition import RecognitionPlan

#: A compiled file, and the Paddle folder or ONNX file that it was made from.
Pair = tuple[Path, Path]


def prove_reading(
    models: Mapping[str, Pair],
    source: Path,
    plan: Plan,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
) -> tuple[ReadingProof, list[Found]]:
    """Read pictures with compiled models and with their sources, as the plan would serve them.

    Args:
        models: for "det", "rec" and perhaps "cls".
        source: the repository whose configurations and steps are served.
        plan: engines, widths and batch sizes.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.

    Returns:
        The figures, and every difference with its picture.
    """
    stored = {name: load_onnx(compiled) for name, (compiled, _) in models.items()}
    engines = {name: engine_of(plan, name) for name in models}
    tolerance = loosest(
        tolerance_for(metadata(stored[name]), str(engine), bounds)[1]
        for name, engine in engines.items()
    )
    served = served_plan(stored, source, plan)
    facts = metadata(stored["rec"])
    characters = class_names(facts["character"].split("\n"), facts["use_space_char"] == "true")
    expected, compiled = (
        Pipeline(chosen, served, characters, {"drop_score": 0})
        for chosen in (
            {name: _source_network(name, pair[1], stored) for name, pair in models.items()},
            {name: networks.compiled_network(models[name][0], engines[name]) for name in models},
        )
    )
    chosen = proof_pictures(pictures, turned="cls" in models)
    return compare_readings(expected.read, compiled.read, chosen, tolerance)


def served_plan(models: Mapping[str, ModelProto], source: Path, plan: Plan) -> RecognitionPlan:
    """The widths and batch sizes that lines are served with."""
    parameters = configure(source, models, plan)["recognize"].parameters
    return RecognitionPlan.from_parameters(
        {name: value.string_value for name, value in parameters.items()}
    )


def _source_network(name: str, path: Path, models: Mapping[str, ModelProto]) -> Network:
    """The network that a compiled one was made from, fed as the compiled one is."""
    network = networks.source_network(path, threads=available_cores())
    norm = normalisation_of(metadata(models[name]))
    if name == "det":
        detector = networks.plain_detector(network, norm)
        return lambda feeds: [detector(feeds["DET_INPUT"])]
    padded = any(tensor.name == "WIDTHS" for tensor in inputs(models[name]))
    recogniser = networks.plain_recogniser(network, norm, padded=padded)
    everything = np.empty((0, 1), np.int32)  # a classifier of stretched crops is sent no widths
    return lambda feeds: recogniser(feeds["CROPS"], feeds.get("WIDTHS", everything))
