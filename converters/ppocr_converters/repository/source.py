"""The source of a repository: steps and configurations, and the packages that its steps import.

A built repository can be copied to any Triton, so each Python step has its own copy of these
packages beside it.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from ppocr_converters.errors import RepositoryError
from ppocr_converters.files import digest_of, sha256_files

#: What the Python steps import beside NumPy, OpenCV, pyclipper and Pillow.
STEP_PACKAGES = ("ppocr_pipeline", "ppocr_steps")
#: The packages of the project's own steps, and of the sample pictures.
PROJECT, SAMPLES = "ppocr_model_repository", "ppocr_samples"


@dataclass(frozen=True)
class Steps:
    """The steps and configurations that a repository is built from.

    Attributes:
        source: how a repository remembers them: `PROJECT`, or their folder.
    """

    folder: Path
    source: str
    digest: str


def find_steps(source: Path | None) -> Steps:
    """The steps in a folder; by default those of the project.

    Raises:
        RepositoryError: the folder holds no models, or the project is not installed whole.
    """
    project = source_repository().resolve()
    given = project if source is None else source
    if not any(given.glob("*/config.pbtxt")):
        raise RepositoryError(
            f"{given} holds no models (no */config.pbtxt); --source takes a folder such as "
            f"model_repository of the project, with your changes"
        )
    folder = given.resolve()
    name = PROJECT if folder == project else str(folder)
    return Steps(folder, name, digest_of(sha256_files(folder, ignore=("manifest.json",))))


def copy_steps(out: Path) -> None:
    """Copy the project's own steps and configurations, to be changed and built from.

    Raises:
        RepositoryError: there is something at `out`, or the project is not installed whole.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RepositoryError(f"{out} is not empty; name a new folder with --out")
    ignored = shutil.ignore_patterns("__pycache__", "*.onnx")
    shutil.copytree(source_repository(), out, ignore=ignored, dirs_exist_ok=True)


def source_repository() -> Path:
    """The folder of the models as they come with the project: steps and configurations."""
    return package_folder(PROJECT)


def package_folder(name: str) -> Path:
    """The folder of an installed package of this project; the package is not imported.

    Raises:
        RepositoryError: it was not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise RepositoryError(
            f"the package {name} is not installed beside the converters; install the project again"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def lay_packages(version: Path) -> None:
    """Copy the packages that a Python step imports beside its model.py, in its version folder.

    Raises:
        RepositoryError: there is another copy already, which would not be the one that is proven.
    """
    for name in STEP_PACKAGES:
        package, copy = package_folder(name), version / name
        if not copy.exists():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(package, copy, ignore=ignored)
        elif sha256_files(copy) != sha256_files(package):
            raise RepositoryError(
                f"{copy.parent.parent.name}/{version.name}/{name} differs from the installed "
                f"package {name}, which proofs are made with; remove it, and change the step in "
                f"its model.py or in files of your own beside it"
            )
