"""`make dist`, and its wheel without pinned versions in an empty environment and folder."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from paths import ROOT, SAMPLES
from release.project import PROJECT

pytestmark = pytest.mark.nightly
VERSION = PROJECT["version"]


def run(*words: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def state() -> tuple[str, set[Path]]:
    return run("git", "status", "--porcelain"), set((ROOT / "build").iterdir())


@pytest.fixture(scope="module")
def dist() -> Path:
    (ROOT / "build").mkdir(exist_ok=True)
    before = state()
    run("make", "dist")
    assert state() == before
    return ROOT / "dist"


def contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def test_the_source_package_builds_the_same_wheel(dist, tmp_path):
    (made,) = dist.glob("*.whl")
    tree, out = tmp_path / "tree", tmp_path / "out"
    for name in run("git", "ls-files", "-z").split("\0")[:-1]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    builder = Path(sys.executable).with_name("pyproject-build")
    run(builder, "--no-isolation", "--wheel", "--outdir", out, tree)
    assert contents(out / made.name) == contents(made)


def test_the_wheel_serves_in_an_empty_folder(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    programs, folder = tmp_path / "environment" / "bin", tmp_path / "empty"
    folder.mkdir()
    run(sys.executable, "-m", "venv", tmp_path / "environment")
    wanted = f"{wheel}[serve,convert]"
    run(programs / "python", "-m", "pip", "install", "--quiet", wanted)
    assert VERSION in run(programs / "ppocr-convert", "--version")
    run(programs / "ppocr-convert", "build", cwd=folder)
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics", "gateway")]
    client = f'{programs / "ppocr-client"} read --url "$PPOCR_GRPC_URL" "$0"'
    picture = SAMPLES / "poster_zh.jpg"
    served = run(programs / "ppocr-serve", *ports, "--", "sh", "-c", client, picture, cwd=folder)
    assert "红富士苹果" in served


def test_the_client_alone_is_small(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    listed = run(python, "-m", "pip", "list", "--format=freeze").lower()
    heavy = ("opencv", "onnx", "openvino", "paddle", "pillow", "pypdfium2", "starlette")
    assert [name for name in heavy if name in listed] == []
    assert VERSION in run(python.with_name("ppocr-client"), "--version")
