"""The reading proof of a set of models, kept until something it depends on changes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ppocr_converters.errors import ModelError
from ppocr_converters.files import sha256_file, sha256_files
from ppocr_converters.manifest import (
    Manifest,
    code_digest,
    digest_of,
    read_manifest,
    tool_versions,
    write_manifest,
)
from ppocr_converters.prepare import Prepared

logger = logging.getLogger(__name__)

#: The files of this package that a reading depends on.
CODE = ("networks.py", "proof.py", "prove.py", "reading.py", "render*.py", "steps.py")
#: The models whose code a reading runs through.
STEPS = ("det_preprocess", "det_postprocess", "recognize")
#: A rendered page for the proof beside the sample pictures: its seed and its lines.
PAGE = (1, 12)


def prove_set(
    models: Mapping[str, Prepared], source: Path, kept: Path, pictures: Sequence[Path] = ()
) -> Manifest:
    """Prove that a detector and a recogniser read as the models they were made from.

    Args:
        models: "det" and "rec".
        source: the repository whose steps read.
        kept: the file in which the figures are kept.
        pictures: files to read; by default rendered pages.

    Returns:
        The proof's figures.

    Raises:
        ProofError: a box or a text is another one.
    """
    inputs = {
        "models": {name: model.manifest["files"] for name, model in models.items()},
        "steps": {name: digest_of(sha256_files(source / name)) for name in STEPS},
        "pictures": [sha256_file(picture) for picture in pictures],
        "tools": tool_versions(),
        "code": code_digest(CODE),
    }
    known = read_manifest(kept)
    if known is None or known.get("inputs") != inputs:
        logger.info("proving that both read the same")
        paths = {name: (model.path, model.origin.path) for name, model in models.items()}
        known = {"inputs": inputs, "proof": read_both(paths, source, pictures)}
        write_manifest(kept, known)
    proof: Manifest = known["proof"]
    return proof


def read_both(
    models: Mapping[str, tuple[Path, Path]], source: Path, pictures: Sequence[Path] = ()
) -> dict[str, Any]:
    """Read pictures with compiled models and with their sources; returns the proof's figures.

    Args:
        models: for "det" and "rec", the compiled file, and the Paddle folder or ONNX file it was
            made from.
        source: the repository whose steps read.
        pictures: files to read; by default rendered pages.

    Raises:
        ProofError: a box or a text is another one.
    """
    from ppocr_converters import networks
    from ppocr_converters.catalogue import catalogue
    from ppocr_converters.dictionary import class_names
    from ppocr_converters.onnx_model import load_onnx, metadata
    from ppocr_converters.profiles import available_cores
    from ppocr_converters.proof import prove_reading
    from ppocr_converters.reading import Reader

    (det, det_source), (rec, rec_source) = models["det"], models["rec"]
    facts = metadata(load_onnx(rec))
    names = class_names(facts["character"].split("\n"), facts["use_space_char"] == "true")
    height, threads = int(facts["ppocr_height"]), available_cores()
    kinds = catalogue().kinds
    expected = Reader(
        source,
        networks.plain_detector(networks.source_network(det_source, threads=threads), kinds["det"]),
        networks.plain_recogniser(
            networks.source_network(rec_source, threads=threads), kinds["rec"]
        ),
        names,
        height,
    )
    compiled = Reader(
        source,
        networks.compiled_detector(det, threads=threads),
        networks.compiled_recogniser(rec, threads=threads),
        names,
        height,
    )
    chosen = _read_files(pictures) if pictures else _rendered()
    return dataclasses.asdict(prove_reading(expected, compiled, chosen))


def _rendered() -> Iterator[tuple[str, np.ndarray]]:
    """The sample pictures and one page of random lines."""
    from ppocr_converters.render import render_page, samples

    seed, lines = PAGE
    for page in (*samples(), render_page(seed, lines)):
        yield page.name, page.image


def _read_files(pictures: Sequence[Path]) -> Iterator[tuple[str, np.ndarray]]:
    import cv2

    for picture in pictures:
        pixels = cv2.imread(str(picture), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ModelError(f"{picture} is not a picture that can be read")
        yield picture.name, pixels
