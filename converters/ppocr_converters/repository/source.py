"""The source of a repository: steps and configurations, and the packages that its steps import.

A built repository can be copied to any Triton, so each Python step has its own copy of these
packages beside it.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from ppocr_converters.errors import RepositoryError
from ppocr_converters.files import sha256_files

#: What the Python steps import beside NumPy, OpenCV, pyclipper and Pillow.
STEP_PACKAGES = ("ppocr_pipeline", "ppocr_steps")


def source_repository() -> Path:
    """The folder of the models as they come with the project: steps and configurations.

    Raises:
        RepositoryError: it was not installed.
    """
    return package_folder("ppocr_model_repository")


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
    """Copy the packages that a Python step imports beside its model.py.

    Args:
        version: the step's version folder.

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
