"""The pipeline of a repository, around networks of any kind: same plan, options, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ppocr_converters.errors import RepositoryError
from ppocr_engine.config_pbtxt import read_parameters
from ppocr_pipeline.ctc import load_dictionary
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import OPTIONS
from ppocr_pipeline.pipeline import Network, Pipeline
from ppocr_pipeline.recognition import RecognitionPlan
from ppocr_pipeline.resize import NONE, parse_canvases

#: The steps that look at options and limits.
STEPS = ("det_preprocess", "det_postprocess", "recognize")


def served_pipeline(repository: Path, networks: Mapping[str, Network]) -> Pipeline:
    """The pipeline that a repository serves; without "cls", lines upside down are not turned.

    Raises:
        RepositoryError: a configuration cannot be read, or has a value that is not allowed.
        ValueError: the dictionary is not what `build` writes.
    """
    steps = [read_parameters(repository / name / "config.pbtxt") for name in STEPS]
    parameters = {name: value for step in steps for name, value in step.items()}
    classes = int(parameters["rec_classes"])
    dictionary = load_dictionary(repository / "recognize" / "1" / "dictionary.txt", classes)
    return pipeline_of(parameters, networks, dictionary)


def pipeline_of(
    parameters: Mapping[str, str], networks: Mapping[str, Network], characters: Sequence[str]
) -> Pipeline:
    """The pipeline of steps with these parameters.

    Raises:
        RepositoryError: a parameter has a value that is not allowed.
    """
    without = {"cls": "cls_height", "page_orientation": "page_orientation_size"}
    left_out = {parameter for network, parameter in without.items() if network not in networks}
    parameters = {name: text for name, text in parameters.items() if name not in left_out}
    options = {name: text for name, text in parameters.items() if name in OPTIONS}
    try:
        plan = RecognitionPlan.from_parameters(parameters)
        limits = Limits.from_parameters(parameters)
        canvases = parse_canvases(parameters.get("det_canvases", NONE))
        return Pipeline(networks, plan, characters, options, limits, canvases)
    except ValueError as error:
        raise RepositoryError(f"the steps cannot be served so: {error}") from error
