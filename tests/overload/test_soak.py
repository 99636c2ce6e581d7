"""Mixed requests for a while: the server stays as it is, and a step that leaks is found."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from ppocr_bench.cli import main
from ppocr_bench.soak_workload import KINDS
from ppocr_converters.pictures.render import encode_page, render_page

pytestmark = pytest.mark.server

LEAK = '''

class Leaking(TritonPythonModel):
    """Keeps 24 MB of what it has seen, twice a second at the most."""

    kept, kept_at = [], 0.0

    def execute(self, requests):
        import time

        if time.monotonic() - Leaking.kept_at > 0.5:
            Leaking.kept_at = time.monotonic()
            Leaking.kept.append(b"x" * (24 << 20))
        return super().execute(requests)


TritonPythonModel = Leaking
'''


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Small pages of several sizes: many are read in seconds."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for seed, width in ((3, 320), (4, 480), (5, 720)):
        paths.append(folder / f"{width}.png")
        paths[-1].write_bytes(encode_page(render_page(seed=seed, lines=2, width=width)))
    return [str(path) for path in paths]


def soak(repository: Path, pictures: list[str], minutes: float, out: Path) -> tuple[int, Any]:
    """The exit code and the result of `ppocr-bench soak`."""
    command = ["soak", "--repository", str(repository), "--no-samples", "--pages", "0"]
    command += ["--images", *pictures, "--minutes", str(minutes), "--out", str(out)]
    return main(command), json.loads(out.read_text("utf-8"))


def see_that_it_is_flat(found: tuple[int, Any]) -> None:
    code, result = found
    assert result["settings"]["faults"] == 0, result["notes"]
    # Latency is the machine's as well, which others use too.
    verdicts = {one["figure"]: one["flat"] for one in result["tables"]["verdicts"]["rows"]}
    assert [name for name, flat in verdicts.items() if not flat and name != "latency"] == []
    assert set(verdicts) >= {"memory_mib", "files", "threads"}
    counts = result["settings"]["counts"]
    assert set(counts) <= set(KINDS)
    assert counts["read"] > 10
    assert code == (0 if result["ok"] else 1)


@pytest.mark.parametrize("minutes", [0.4, pytest.param(10, marks=pytest.mark.nightly)])
def test_the_server_is_left_as_it_was(
    repository: Path, pictures: list[str], tmp_path: Path, minutes: float
) -> None:
    see_that_it_is_flat(soak(repository, pictures, minutes, tmp_path / "soak.json"))
    page = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "soak.json"), "--out", str(page)]) == 0
    assert "memory, files and latency stay flat" in page.read_text("utf-8")


@pytest.mark.nightly
def test_a_step_that_leaks_is_found(
    repository: Path, pictures: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = copytree(repository, tmp_path / "leaking")
    step = leaking / "det_preprocess" / "1" / "model.py"
    step.write_text(step.read_text("utf-8") + LEAK)
    code, result = soak(leaking, pictures, 0.2, tmp_path / "soak.json")
    assert code == 1
    verdicts = result["tables"]["verdicts"]["rows"]
    assert "memory_mib" in [one["figure"] for one in verdicts if not one["flat"]]
    assert "FAIL: " in capsys.readouterr().out
