"""Look a model repository over before tritonserver does, for what has a clear remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_engine import config_pbtxt
from ppocr_engine.errors import EngineError, RepositoryError
from ppocr_engine.parameters import PARAMETERS
from ppocr_engine.reader import backend_of
from ppocr_engine.spec import DEFAULT_FILES, EngineSpec
from ppocr_engine.tensorrt_engines import check_engines


@dataclass(frozen=True)
class Repository:
    """What tritonserver will find in a repository.

    Attributes:
        models: their names.
        configs: Triton's `ModelConfig` of each that has a configuration.
        engines: what runs each network, such as "openvino bf16", by its model's name.
        notes: what configurations ask for without effect, a sentence each.
        complete: whether every configuration says all that Triton needs. Then nothing must be
            filled in, which Triton would try in one more process for every Python model: with
            the OCR pipeline that is more than half of the time to start.
    """

    models: list[str]
    configs: list[Any]
    engines: dict[str, str]
    notes: list[str]
    complete: bool


def check_repository(repository: Path) -> Repository:
    """Look a repository over; returns what is in it.

    Raises:
        RepositoryError: no such folder, no model in it, a `config.pbtxt` that is not valid, or
            models without their weights or step code (all of them named; Triton itself would
            wait forever for a step without `model.py`), or TensorRT engines that were built for
            another machine.
    """
    configs = read_configs(repository)
    fields = {
        model: {} if config is None else config_pbtxt.config_json(config)
        for model, config in configs
    }
    missing = [path for model, found in fields.items() for path in _missing_files(model, found)]
    if missing:
        names = ", ".join(dict.fromkeys(f"'{path.parts[-3]}'" for path in missing))
        raise RepositoryError(
            f"incomplete models ({names}): {missing[0]} does not exist; run "
            "`ppocr-convert build`, or name a built repository with --model-repository"
        )
    check_engines(repository)
    specs = {model.name: _spec(found) for model, found in fields.items()}
    engines = {model.name: _engine(specs[model.name], found) for model, found in fields.items()}
    return Repository(
        models=[model.name for model, _ in configs],
        configs=[config for _, config in configs if config is not None],
        engines={name: engine for name, engine in engines.items() if engine},
        notes=[f"{name}: without effect: {n}" for name, s in specs.items() if s for n in s.notes],
        complete=all(_is_complete(model, found) for model, found in fields.items()),
    )


def read_configs(repository: Path) -> list[tuple[Path, Any]]:
    """The folder of every model, by name, with its `ModelConfig`, None where it has none.

    A configuration without a name has its folder's, as in Triton.

    Raises:
        RepositoryError: no such folder, no model in it, or a `config.pbtxt` that is not valid.
    """
    here = f"run `ppocr-convert build --out {repository}`"
    if not repository.is_dir():
        raise RepositoryError(f"there is no model repository at {repository}; {here}")
    models = sorted(path for path in repository.iterdir() if path.is_dir())
    if not models:
        raise RepositoryError(f"the model repository {repository} is empty; {here}")
    return [(model, _read_config(model)) for model in models]


def _read_config(model: Path) -> Any:
    path = model / "config.pbtxt"
    if not path.is_file():
        return None
    config = config_pbtxt.read_config(path)
    config.name = config.name or model.name
    return config


def _spec(fields: Mapping[str, Any]) -> EngineSpec | None:
    """What runs a network; None of others, and where Triton will refuse it, with the reason."""
    try:
        return EngineSpec.read(fields)
    except EngineError:
        return None


def _engine(spec: EngineSpec | None, fields: Mapping[str, Any]) -> str:
    """The engine of a network, with its precision where that is not the file's; "" of others."""
    if spec is None:
        backend = backend_of(fields)
        return backend if backend in PARAMETERS else ""
    return spec.backend if spec.precision == "fp32" else f"{spec.backend} {spec.precision}"


def _is_complete(model: Path, fields: Mapping[str, Any]) -> bool:
    """Whether tensors are declared and no step of the model fills the rest in by itself."""
    if not fields.get("input") or not fields.get("output"):
        return False
    steps = model.glob("*/model.py")
    return not any("def auto_complete_config" in step.read_text("utf-8") for step in steps)


def _missing_files(model: Path, fields: Mapping[str, Any]) -> list[Path]:
    """Weights or step code that the versions of one model should have and do not."""
    backend = backend_of(fields)
    if backend not in DEFAULT_FILES or fields.get("cc_model_filenames"):
        return []
    file_name = fields.get("default_model_filename") or DEFAULT_FILES[backend]
    versions = [path for path in model.iterdir() if path.is_dir() and path.name.isdigit()]
    wanted = [version / file_name for version in versions] or [model / "1" / file_name]
    return [path for path in wanted if not path.exists()]
