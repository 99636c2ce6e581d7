"""Sets of models proven: which pictures are read, by which networks, and what is kept of it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppocr_converters.errors import ModelError, ProofError
from ppocr_converters.files import sha256_file, sha256_files
from ppocr_converters.proof.lines import Found, ReadingProof, compare_readings
from ppocr_converters.proof.tensors import TensorProof
from ppocr_converters.proof.tolerance import loosest
from ppocr_converters.repository.manifest import (
    Manifest,
    code_digest,
    digest_of,
    read_manifest,
    tool_versions,
    write_manifest,
)
from ppocr_converters.repository.model_build import Prepared
from ppocr_engine.config_pbtxt import read_parameters
from ppocr_engine.machine import processor
from ppocr_engine.spec import ONNXRUNTIME, EngineSpec, engine_named
from ppocr_pipeline.pipeline import Network, Pipeline
from ppocr_pipeline.recognition import RecognitionPlan

logger = logging.getLogger(__name__)

#: The models whose code a reading runs through.
STEPS = ("det_preprocess", "det_postprocess", "recognize")
#: A rendered page for the proof beside the sample pictures: its seed and its lines.
PAGE = (1, 12)
#: The sample that is read upside down too where there is a classifier.
TURNED = "poster_zh.jpg"
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

#: A compiled file, and the Paddle folder or ONNX file that it was made from.
Pair = tuple[Path, Path]
NO_WAYS: Mapping[str, EngineSpec] = {}


@dataclass(frozen=True)
class Run:
    """Everything one proof found out.

    Attributes:
        models: the compiled file and the source of each kind.
        tensors: by kind.
        reading: where there is a detector and a recogniser.
        found: every difference of the readings.
        versions: of all tools, Python and the engine included.
    """

    models: Mapping[str, Pair]
    tensors: Mapping[str, TensorProof]
    reading: ReadingProof | None
    found: Sequence[Found]
    versions: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        """Every bound that is not kept, a sentence each."""
        tensors = [f"{kind}, {p}" for kind, proof in self.tensors.items() for p in proof.problems]
        return tensors + (self.reading.problems if self.reading else [])

    @property
    def differences(self) -> list[str]:
        """Every difference of the readings, a sentence each."""
        return [str(one) for one in self.found]

    @property
    def facts(self) -> dict[str, object]:
        """All of it as JSON can hold it, the pictures of differences excepted."""
        return {
            "proven": not self.problems,
            "problems": self.problems,
            "models": {
                kind: {"compiled": str(compiled), "source": str(source)}
                for kind, (compiled, source) in self.models.items()
            },
            **{kind: dataclasses.asdict(proof) for kind, proof in self.tensors.items()},
            **({"reading": dataclasses.asdict(self.reading)} if self.reading else {}),
            "versions": dict(self.versions),
        }


def prove_pairs(
    models: Mapping[str, Pair],
    source: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
    *,
    engine: str = "onnxruntime",
) -> Run:
    """Compare compiled models with their sources: each on tensors, the set on pictures.

    Args:
        models: one or more of "det", "rec" and "cls"; pictures are read with the first two.
        source: the repository whose steps read.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.
        engine: of the compiled models, see `networks.ENGINES`.
    """
    from ppocr_converters.proof.tensors import compare_file

    spec = engine_named(engine)
    tensors = {kind: compare_file(*pair, bounds=bounds, way=spec) for kind, pair in models.items()}
    reading, found = None, list[Found]()
    if {"det", "rec"} <= set(models):
        ways = dict.fromkeys(models, spec)
        reading, found = read_both(models, source, pictures, bounds, ways=ways)
    return Run(models, tensors, reading, found, {**tool_versions(), "engine": engine})


def prove_set(
    models: Mapping[str, Prepared],
    source: Path,
    kept: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
    *,
    ways: Mapping[str, EngineSpec],
) -> Manifest:
    """Prove that a set reads as the models it was made from, once for everything it depends on.

    Args:
        models: "det", "rec" and, where there is one, "cls".
        source: the repository whose steps read.
        kept: the file in which the figures are kept.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.
        ways: in which the compiled models are run.

    Returns:
        The proof's figures.

    Raises:
        ProofError: more boxes or texts differ than the bounds allow.
    """
    inputs = {
        "models": {name: model.manifest["files"] for name, model in models.items()},
        "ways": {name: f"{way} x{way.threads or 'cores'}" for name, way in ways.items()},
        # ONNX Runtime's float32 is the same everywhere, within what the bounds allow.
        "processor": {}
        if {str(way) for way in ways.values()} == {str(ONNXRUNTIME)}
        else processor(),
        "steps": {name: digest_of(sha256_files(source / name)) for name in STEPS},
        "pictures": [sha256_file(picture) for picture in pictures],
        "bounds": list(bounds),
        "tools": tool_versions(),
        "code": code_digest(),
    }
    known = read_manifest(kept)
    if known is None or known.get("inputs") != inputs:
        logger.info("proving that both read the same")
        pairs = {name: (model.path, model.origin.path) for name, model in models.items()}
        result, _ = read_both(pairs, source, pictures, bounds, ways=ways)
        if result.problems:
            raise ProofError("the set of compiled models", result.problems + result.differences)
        known = {"inputs": inputs, "proof": dataclasses.asdict(result)}
        write_manifest(kept, known)
    proof: Manifest = known["proof"]
    return proof


def prove_engine(model: Prepared, way: EngineSpec, bounds: Sequence[str] = ()) -> Manifest | None:
    """Prove that an engine answers as the network a model was made from, once for each model.

    Returns:
        The figures of the tensors, None for ONNX Runtime, by which the model itself was proven.

    Raises:
        ProofError: a bound is not kept.
        ModelError: the engine cannot run the model here.
    """
    if str(way) == str(ONNXRUNTIME):
        return None
    from ppocr_converters.proof.tensors import prove_file

    folder = model.path.parent
    kept = folder.with_name(f"{folder.name}.{way}-{way.threads}.json")
    inputs = {
        "model": model.manifest["files"],
        "bounds": list(bounds),
        "tools": tool_versions(),
        "processor": processor(),
        "code": code_digest(),
    }
    known = read_manifest(kept)
    if known is None or known.get("inputs") != inputs:
        logger.info("proving %s by %s", model.origin.name, way)
        proof = prove_file(model.path, model.origin.path, bounds=bounds, way=way)
        known = {"inputs": inputs, "proof": dataclasses.asdict(proof)}
        write_manifest(kept, known)
    figures: Manifest = known["proof"]
    return figures


def read_both(
    models: Mapping[str, Pair],
    source: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
    *,
    ways: Mapping[str, EngineSpec] = NO_WAYS,
) -> tuple[ReadingProof, list[Found]]:
    """Read pictures with compiled models and with their sources.

    Args:
        models: for "det", "rec" and perhaps "cls".
        source: the repository whose steps read.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.
        ways: in which the compiled models are run, by ONNX Runtime where not given.

    Returns:
        The figures, and every difference with its picture.
    """
    from ppocr_converters.graph.onnx_model import load_onnx, metadata
    from ppocr_converters.proof.tensors import tolerance_for

    ways = {name: ways.get(name, ONNXRUNTIME) for name in models}
    tolerance = loosest(
        tolerance_for(metadata(load_onnx(compiled)), str(ways[name]), bounds)[1]
        for name, (compiled, _) in models.items()
    )
    expected, compiled = pipelines(models, source, ways)
    chosen = read_files(pictures) if pictures else _rendered("cls" in models)
    return compare_readings(expected, compiled, chosen, tolerance)


def pipelines(
    models: Mapping[str, Pair], source: Path, ways: Mapping[str, EngineSpec]
) -> tuple[Pipeline, Pipeline]:
    """The pipeline around the sources of a set, and the one around its compiled models."""
    from ppocr_converters.graph.compile import classifier_parameters
    from ppocr_converters.graph.dictionary import class_names
    from ppocr_converters.graph.onnx_model import load_onnx, metadata
    from ppocr_converters.proof.networks import compiled_network

    stored = {name: load_onnx(compiled) for name, (compiled, _) in models.items()}
    rec = metadata(stored["rec"])
    characters = class_names(rec["character"].split("\n"), rec["use_space_char"] == "true")
    parameters = read_parameters(source / "recognize" / "config.pbtxt")
    parameters["rec_height"] = rec["ppocr_height"]
    if "cls" in models:
        parameters |= classifier_parameters(stored["cls"])
    plan = RecognitionPlan.from_parameters(parameters)

    def around(networks: Mapping[str, Network]) -> Pipeline:
        return Pipeline(networks, plan, characters, {"drop_score": 0})

    sources = {
        name: _source_network(name, models[name][1], metadata(stored[name]), plan)
        for name in models
    }
    compiled = {name: compiled_network(path, ways[name]) for name, (path, _) in models.items()}
    return around(sources), around(compiled)


def _source_network(name: str, path: Path, facts: dict[str, str], plan: RecognitionPlan) -> Network:
    """The network that a compiled one was made from, fed as the compiled one is."""
    from ppocr_converters.proof import networks
    from ppocr_converters.proof.tensors import normalisation_of
    from ppocr_engine.machine import available_cores

    network = networks.source_network(path, threads=available_cores())
    norm = normalisation_of(facts)
    if name == "det":
        detector = networks.plain_detector(network, norm)
        return lambda feeds: [detector(feeds["DET_INPUT"])]
    padded = name == "rec" or (plan.classifier is not None and plan.classifier.resize == "pad")
    recogniser = networks.plain_recogniser(network, norm, padded=padded)
    everything = np.empty((0, 1), np.int32)  # a classifier of stretched crops is sent no widths
    return lambda feeds: recogniser(feeds["CROPS"], feeds.get("WIDTHS", everything))


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """The picture files of a user's list, which may name folders.

    Raises:
        ModelError: a folder holds none, or a file is not there.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if not inside or not path.exists():
            raise ModelError(f"there is no picture in {path}; allowed are {', '.join(SUFFIXES)}")
        found += inside
    return found


def read_files(pictures: Sequence[Path]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels of each picture.

    Raises:
        ModelError: one cannot be read.
    """
    import cv2

    for picture in pictures:
        pixels = cv2.imread(str(picture), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ModelError(f"{picture} is not a picture that can be read")
        yield picture.name, pixels


def _rendered(turned: bool) -> Iterator[tuple[str, np.ndarray]]:
    """The sample pictures and one page of random lines; with a classifier one upside down."""
    from ppocr_converters.pictures.render import render_page, samples

    seed, lines = PAGE
    for page in (*samples(), render_page(seed, lines)):
        yield page.name, page.image
        if turned and page.name == TURNED:
            yield f"{page.name} upside down", np.ascontiguousarray(page.image[::-1, ::-1])
