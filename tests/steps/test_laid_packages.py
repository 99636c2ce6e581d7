"""A built step imports the packages that lie beside it, whatever else is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ppocr_converters.errors import RepositoryError
from ppocr_converters.repository.source import STEP_PACKAGES, lay_packages, source_repository

STEPS = [path.parent for path in sorted(source_repository().glob("*/1/model.py"))]
# As Triton's stub does: the model's folders come last, and its interface is bare at first.
IMPORT = """
import importlib, sys, types
sys.modules["triton_python_backend_utils"] = types.ModuleType("triton_python_backend_utils")
sys.path += [sys.argv[1], sys.argv[1] + "/1"]
importlib.import_module("1.model")
for package in sys.argv[2:]:
    print(sys.modules[package].__file__)
"""


@pytest.fixture(params=STEPS, ids=lambda path: path.parent.name)
def version(request, tmp_path) -> Path:
    """A step's version folder with its packages."""
    folder = tmp_path / request.param.parent.name / "1"
    shutil.copytree(request.param, folder)
    lay_packages(folder)
    return folder


def test_a_step_imports_its_own_copy(version):
    command = [sys.executable, "-c", IMPORT, str(version.parent), *STEP_PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.split() == [str(version / name / "__init__.py") for name in STEP_PACKAGES]


def test_another_copy_is_refused(version):
    lay_packages(version)  # the same again is none
    (version / "ppocr_pipeline" / "order" / "rows.py").write_text("SAME_LINE = 20\n", "utf-8")
    with pytest.raises(RepositoryError, match="1/ppocr_pipeline differs from the installed"):
        lay_packages(version)
