"""The pictures that proofs read: the samples and a rendered page, or a user's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ppocr_converters.errors import ModelError
from ppocr_converters.repository.source import SAMPLES, package_folder
from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.formats import known_format
from ppocr_pipeline.header import PictureRefused

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
#: The sample that is read upside down too where there is a classifier.
TURNED = "poster_zh.jpg"


@dataclass(frozen=True)
class Picture:
    """One picture to read, uint8 [H, W, 3], BGR; a user's own is taken to have text."""

    name: str
    pixels: np.ndarray
    has_text: bool = True


def proof_pictures(files: Sequence[Path], *, turned: bool) -> Iterator[Picture]:
    """The files given, or else the samples and a rendered page; with `turned` one is turned too.

    Raises:
        ModelError: a file is not a picture.
    """
    from ppocr_converters.pictures.render import render_page

    if files:
        yield from read_files(files)
        return
    for sample in samples():
        yield sample
        if turned and sample.name == TURNED:
            upside_down = np.ascontiguousarray(sample.pixels[::-1, ::-1])
            yield Picture(f"{sample.name} upside down", upside_down)
    page = render_page(1, 12)
    yield Picture(page.name, page.image)


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """The picture files of a user's list, which may name folders.

    Raises:
        ModelError: a folder holds none, or a file is not there or no picture.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if not inside or not path.exists():
            raise ModelError(f"there is no picture in {path}; allowed are {', '.join(SUFFIXES)}")
        for file in inside:
            with file.open("rb") as opened:
                if known_format(opened.read(64)) is None:
                    raise ModelError(f"{file} is not a picture that can be read")
        found += inside
    return found


def read_files(files: Sequence[Path]) -> Iterator[Picture]:
    """The pictures in files, decoded as they would be served.

    Raises:
        ModelError: one cannot be read.
    """
    for file in files:
        try:
            yield Picture(file.name, decode_image(file.read_bytes()))
        except PictureRefused as error:
            raise ModelError(f"{file} is not a picture that can be read: {error}") from error


def samples() -> Iterator[Picture]:
    """The project's sample pictures, as `truth.json` names them.

    Raises:
        RepositoryError: they were not installed.
    """
    folder = package_folder(SAMPLES)
    truth: dict[str, list[object]] = json.loads((folder / "truth.json").read_text("utf-8"))
    for picture in read_files([folder / name for name in truth]):
        yield replace(picture, has_text=bool(truth[picture.name]))
