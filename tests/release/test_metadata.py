"""What the package says of itself: one version, bounds around what is tested, a small client."""

import re
from importlib.util import find_spec

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from paths import ROOT
from release.project import PROJECT

from ppocr_bench.gpu.runtime import PACKAGES

EXTRAS = PROJECT["optional-dependencies"]
#: What only those who change or release the project install.
TOOLS = {"dev", "fuzz", "release"}
RUNTIME = {
    text
    for name, texts in {"": PROJECT["dependencies"], **EXTRAS}.items()
    if name not in TOOLS
    for text in texts
    if not text.startswith("ppocr-triton")
}
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


def test_there_is_one_version():
    version = PROJECT["version"]
    chart = yaml.safe_load((ROOT / "docker/helm/ppocr-triton/Chart.yaml").read_text("utf-8"))
    assert (chart["version"], chart["appVersion"]) == (version, version)
    for name in ("CHANGELOG.md", "CHANGELOG_CN.md", "docs/compatibility.md", "docs/install.md"):
        assert version in (ROOT / name).read_text("utf-8"), name


def test_the_client_needs_numpy_and_tritonclient_alone():
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert names == {"numpy", "tritonclient"}


def test_serve_and_bench_install_what_a_bundle_without_a_runtime_needs():
    extras = ("serve", "endpoint", "steps", "bench", "draw")
    texts = [*PROJECT["dependencies"], *(text for name in extras for text in EXTRAS[name])]
    names = {Requirement(text).name for text in texts} | {"packaging"}  # onnxruntime asks for it
    assert {Requirement(text).name for text in PACKAGES} <= names


@pytest.mark.parametrize("text", sorted(RUNTIME))
def test_a_package_has_an_upper_bound_that_the_tested_version_keeps(text):
    requirement = Requirement(text)
    assert {spec.operator for spec in requirement.specifier} & {"<", "=="}
    name = canonicalize_name(requirement.name)
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == name]
    assert pins or name in {"ocrmypdf", "langchain-core", "haystack-ai"}
    for pin in pins:
        (spec,) = pin.specifier
        assert spec.version in requirement.specifier, f"{pin} is tested"
        next_major = f"{Version(spec.version).major + 1}.0"
        assert name == "numpy" or next_major not in requirement.specifier


@pytest.mark.parametrize("text", PROJECT["entry-points"]["ocrmypdf"].values())
def test_an_entry_point_is_there(text):
    # The module itself imports its program, which is not installed beside the tests.
    assert find_spec(text) is not None


def test_every_package_of_the_code_is_installed():
    setup = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = set(re.findall(r'^    "(ppocr_[\w.]+)",$', setup, re.MULTILINE))
    folders = dict(re.findall(r'^"?(ppocr_[\w.]+)"? = "([\w/]+)"$', setup, re.MULTILINE))
    for package, folder in folders.items():
        if package == "ppocr_model_repository" or package.endswith(".backends"):
            continue  # copied as they are, with their own table of files
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            assert ".".join((package, *inner)) in listed, init
