"""The step code of a model repository, imported as the packages that it is.

Triton imports `<model>/<version>` as a package and its files relatively; so does this:

    steps.load("det_postprocess").db.decode_boxes(...)

What proves a conversion, and what tests test, is therefore the very code that is served.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from ppocr_converters.errors import RepositoryError


def source_repository() -> Path:
    """The folder of the models as they come with the project: steps and configurations.

    Raises:
        RepositoryError: it was not installed.
    """
    spec = importlib.util.find_spec("ppocr_model_repository")
    if spec is None or not spec.submodule_search_locations:
        raise RepositoryError(
            "the model repository is not installed beside the converters; install the project "
            "again, or name a repository with --source"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def load(model: str, repository: Path | None = None, version: str = "1") -> ModuleType:
    """Import the folder of one model as a package of its own; its files are its attributes.

    Args:
        model: the model's name, a folder of the repository.
        repository: by default the one that comes with the project.
        version: the version folder.

    Raises:
        RepositoryError: no such folder.
    """
    folder = ((repository or source_repository()) / model / version).resolve()
    if not folder.is_dir():
        raise RepositoryError(f"there is no step code in {folder}")
    name = f"_ppocr_steps_{sha256(str(folder).encode()).hexdigest()[:8]}_{model}"
    if name not in sys.modules:
        package = ModuleType(name, f"The step code in {folder}.")
        package.__path__ = [str(folder)]

        def find(file: str) -> Any:
            try:
                return _import(f"{name}.{file}")
            except ModuleNotFoundError as error:
                if error.name != f"{name}.{file}":
                    raise
                raise AttributeError(f"{folder} has no {file}.py") from None

        package.__getattr__ = find  # type: ignore[method-assign]
        sys.modules[name] = package
    return sys.modules[name]


def _import(name: str) -> ModuleType:
    """Import a module without leaving a cache of it: a repository that is read stays as it is."""
    wrote, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return importlib.import_module(name)
    finally:
        sys.dont_write_bytecode = wrote
