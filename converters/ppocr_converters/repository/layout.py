"""A model repository on disk: steps, weights, dictionary and configurations of one set."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from onnx import save

from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.compile import cast_first
from ppocr_converters.graph.dictionary import class_names, write_dictionary
from ppocr_converters.graph.kinds import expect_kind, kind_of
from ppocr_converters.graph.onnx_model import OnnxFile, is_compiled, metadata
from ppocr_converters.repository.configuration import (
    CONFIG,
    configure,
    has_tensorrt,
    served_buckets,
    served_widths,
)
from ppocr_converters.repository.deployment_plan import Plan
from ppocr_converters.repository.manifest import Manifest
from ppocr_converters.repository.source import lay_packages
from ppocr_converters.repository.summary import summarise, totals
from ppocr_engine.config_pbtxt import write_config

WEIGHTS = "1/model.onnx"
DICTIONARY = "recognize/1/dictionary.txt"
NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.onnx", "manifest.json", "dictionary.txt"
)


def assemble(folder: Path, source: Path, networks: Mapping[str, OnnxFile], plan: Plan) -> Manifest:
    """Fill a folder with a copy of the source and the compiled networks, see `configure`.

    Returns:
        For the manifest: a row for each model, the memory of all, the widths that the recogniser
        is fed with in pixels, and the shapes that networks are prepared for.

    Raises:
        ModelError: a network is not what its place needs.
        RepositoryError: a folder, a file or a configuration does not fit the others, the plan
            names a model that is not there, or its limits are not possible.
    """
    for name, file in networks.items():
        if not is_compiled(file.model):
            raise RepositoryError(
                f"{file.path} is not compiled; run `ppocr-convert compile` on it first"
            )
        expect_kind(kind_of(file.model), name, str(file.path))
    models = {name: file.model for name, file in networks.items()}
    configs = configure(source, models, plan)
    for name, config in configs.items():
        shutil.copytree(source / name, folder / name, ignore=NOT_COPIED)
        if (folder / name / "1" / "model.py").is_file():
            lay_packages(folder / name / "1")
        write_config(folder / name / CONFIG, config)
    for name, file in networks.items():
        if has_tensorrt(plan, name):
            save(cast_first(models[name]), folder / name / WEIGHTS)
        else:
            shutil.copyfile(file.path, folder / name / WEIGHTS)
    write_dictionary(folder / DICTIONARY, class_names(metadata(models["rec"])))
    sizes = {name: (folder / name / WEIGHTS).stat().st_size for name in networks}
    rows = summarise(configs, sizes)
    return {
        "summary": rows,
        "expected": totals(rows),
        "buckets": served_widths(configs),
        "shapes": served_buckets(configs, models, plan),
    }
