"""Every target: good inputs, inputs that once were a defect, and a bounded number of others."""

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.harness import NAMES, bounded, kept_cases, load_target, mutants, one_input_in_time

ROOT = Path(__file__).parents[2]
# Some seconds each: the steps of a picture and a page of YAML take longest.
COUNTS = {"image": 2500, "config": 200, "http": 2000, "rpc": 3000}
NIGHTLY_SECONDS = 120


@pytest.mark.parametrize("name", NAMES)
def test_good_inputs_and_kept_cases_are_answered(name):
    target = load_target(name)
    cases = [path.read_bytes() for path in kept_cases(name)]
    with bounded():
        for data in [*target.seeds(), *cases]:
            one_input_in_time(target, data)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_a_few_changes_away_are_answered(name, tmp_path):
    target = load_target(name)
    inputs = [*target.seeds(), *(path.read_bytes() for path in kept_cases(name))]
    found = tmp_path / "found"
    with bounded():
        for data in mutants(target, inputs, COUNTS[name]):
            found.write_bytes(data)  # stays where the process itself ends
            one_input_in_time(target, data)


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_a_search_guided_by_coverage_finds_nothing(name, tmp_path):
    pytest.importorskip("atheris", reason="there is a wheel for Linux on x86-64 alone")
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--folder", str(tmp_path)]
    command += ["--seconds", str(NIGHTLY_SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=10 * NIGHTLY_SECONDS)
    assert done.returncode == 0, done.stderr[-4000:].decode(errors="replace")
