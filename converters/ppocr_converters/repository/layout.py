"""A model repository on disk, and what it starts: a row for each model, with its memory.

The memory is a formula fitted to a running server. Measured with the Python stand-in for ONNX
Runtime on a CPU, as the proportional share (PSS) of each process after reading the sample pictures
with PP-OCRv4 mobile, one thread an instance: steps 34 to 40 MiB; det (4.7 MB file) 43 MiB loaded,
263 after pictures of 736x960; rec (10.8 MB) 54 and 77; cls (0.6 MB) 30 and 44; the server itself
74. Loaded is 28 MiB and 2.5 times the file; what comes on top goes with the pixels of the largest
run. The C++ backend holds all instances in one process and takes less; what a GPU takes has not
been measured. Shared memory: 140 MiB of 12 instances, 8 of which had grown.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx import save

from ppocr_converters.errors import RepositoryError
from ppocr_converters.graph.compile import cast_first
from ppocr_converters.graph.dictionary import class_names, write_dictionary
from ppocr_converters.graph.kinds import expect_kind, kind_of
from ppocr_converters.graph.onnx_model import OnnxFile, is_compiled, metadata
from ppocr_converters.repository.configuration import (
    CONFIG,
    Configs,
    configure,
    served_buckets,
    served_widths,
)
from ppocr_converters.repository.deployment_plan import Plan
from ppocr_converters.repository.manifest import Manifest
from ppocr_converters.repository.source import lay_packages
from ppocr_engine.config_pbtxt import write_config
from ppocr_engine.spec import EngineSpec

WEIGHTS = "1/model.onnx"
NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.onnx", "manifest.json", "dictionary.txt"
)
MIB = 1 << 20
SERVER_MIB, STEP_MIB, LOADED_MIB = 74, 40, 28
FILE_FACTOR = 2.5
#: Bytes of activations for each pixel of a run's input.
BYTES_PER_PIXEL = {"det": 330, "rec": 150, "cls": 290, "page_orientation": 290}
#: A detector's largest picture with PaddleOCR's limit of 960, pixels.
DET_PIXELS = 960 * 960
#: Shared memory of an instance: what the Python backend begins with and grows by, once.
SHARED_MIB = 17


def assemble(folder: Path, source: Path, networks: Mapping[str, OnnxFile], plan: Plan) -> Manifest:
    """Fill a folder with a copy of the source and the compiled networks, see `configure`.

    Returns:
        For the manifest: a row for each model (see `_row`), the memory of all in MiB (networks on
        GPUs are not in it), the widths that the recogniser is fed with in pixels, and the shapes
        that networks are prepared for.

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
    memory = {}
    for name, file in networks.items():
        weights = folder / name / WEIGHTS
        if plan[name].has_tensorrt:
            save(cast_first(models[name]), weights)
        else:
            shutil.copyfile(file.path, weights)
        memory[name] = _network_mib(name, weights.stat().st_size, configs)
    dictionary = folder / "recognize" / "1" / "dictionary.txt"
    write_dictionary(dictionary, class_names(metadata(models["rec"])))
    rows = [_row(config, memory.get(name)) for name, config in configs.items()]
    of_instances = sum(row["instances"] * (row["memory_mib"] or 0) for row in rows)
    return {
        "summary": rows,
        "expected": {
            "memory_mib": SERVER_MIB + of_instances,
            "shared_mib": sum(row["instances"] * row["shared_mib"] for row in rows),
        },
        "buckets": served_widths(configs),
        "shapes": served_buckets(configs, models, plan),
    }


def _row(config: Any, of_network: int | None) -> dict[str, Any]:
    """What one model starts.

    Returns:
        `model`; `backend` or "ensemble"; `kind`, where the instances run, "" where there are none;
        `instances` on all devices together, those on every GPU there is count once; `precision`
        that the engine computes in where it is not the file's; `threads` of each instance;
        `memory_mib` expected for each instance, None on a GPU; `shared_mib`, its shared memory.
    """
    spec, groups = EngineSpec.read(config), config.instance_group
    gpu = any(group.kind == group.KIND_GPU for group in groups)
    step_mib = STEP_MIB if groups else 0
    kind = "KIND_GPU" if gpu else "KIND_CPU"
    return {
        "model": config.name,
        "backend": config.backend or config.platform,
        "kind": kind if groups else "",
        "instances": sum(group.count * max(1, len(group.gpus)) for group in groups),
        "precision": "" if spec is None or spec.precision == "fp32" else spec.precision,
        "threads": 1 if spec is None else max(1, spec.threads),
        "memory_mib": step_mib if of_network is None else None if gpu else of_network,
        "shared_mib": SHARED_MIB if groups else 0,
    }


def _network_mib(name: str, file_bytes: int, configs: Configs) -> int:
    """The memory of one instance of a network on a CPU, MiB, in the largest run of a request."""
    told = {n: value.string_value for n, value in configs["recognize"].parameters.items()}
    pixels = DET_PIXELS
    if name == "page_orientation":
        pixels = int(told["page_orientation_size"]) ** 2
    elif name != "det":
        width = served_widths(configs)[-1] if name == "rec" else int(told["cls_width"])
        columns = int(told[f"{name}_batch_size"]) * width
        if name == "rec" and "rec_batch_columns" in told:
            columns = max(width, min(columns, int(told["rec_batch_columns"])))
        pixels = columns * int(told[f"{name}_height"])
    return round(LOADED_MIB + (FILE_FACTOR * file_bytes + BYTES_PER_PIXEL[name] * pixels) / MIB)
