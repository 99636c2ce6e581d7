"""Each of Paddle's older operators of quantisation converts to the arithmetic of its own kernel."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ppocr_converters.errors import ModelError
from ppocr_converters.paddle.convert import convert
from ppocr_converters.paddle.fake_quantisation import REWRITINGS
from ppocr_converters.paddle.program import read_program
from ppocr_converters.proof.networks import source_network

pytestmark = pytest.mark.paddle
SAVE = Path(__file__).parent / "paddle_models" / "quantised.py"
Floats = npt.NDArray[np.float32]
SCALE, BINS = 1.7, 127
#: What paddle_models/quantised.py saves, FORM-BITS-ROUNDING. Each takes some seconds, so most are
#: tried in the night only. The quantising is one function for all: two forms stand for other bits
#: and roundings.
ALWAYS = ("moving-8-1", "channels-two-8-1", "conv-range-8-1", "channels-4-1")
NIGHTLY = (
    *("moving-8-0", "moving-4-1", "largest-8-1", "channels-8-1", "channels-8-0"),
    *("conv-moving-8-1", "conv-largest-8-1", "conv-largest-channels-8-1"),
    *("weights-8-1", "weights-out-8-1", "weights-in-8-1", "weights-two-8-1"),
)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all models that paddle_models/quantised.py saves."""
    folder = tmp_path_factory.mktemp("quantised")
    command = [sys.executable, "-W", "ignore", str(SAVE), str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def both(folder: Path, tmp_path: Path, values: Floats) -> tuple[Floats, Floats]:
    """What Paddle answers to values, and what the converted file does."""
    made = convert(folder, tmp_path / "m.onnx")
    one, other = (source_network(path, threads=1)(values) for path in (folder, made))
    return one, other


def pictures() -> Floats:
    """Random values, among them all halves between two steps and what lies beside them."""
    values = np.random.default_rng(0).normal(size=(2, 3, 40, 50)).astype(np.float32)
    halves = ((np.arange(-BINS, BINS) + 0.5) * SCALE / BINS).astype(np.float32)
    for row, direction in enumerate((-9, 0, 9)):
        beside = np.nextafter(halves, np.float32(direction)) if direction else halves
        values[0, 0, row * 6 : row * 6 + 6].reshape(-1)[: len(halves)] = beside
    return values


@pytest.mark.parametrize(
    "form", [*ALWAYS, *(pytest.param(form, marks=pytest.mark.nightly) for form in NIGHTLY)]
)
def test_an_operator_agrees_with_paddle(saved: Path, tmp_path: Path, form: str) -> None:
    one, other = both(saved / form, tmp_path, pictures())
    assert one.std() > 0.1
    # A step is more than 0.01 of what it is a step of; nothing here may fall the other way.
    assert np.abs(one - other).max() < 1e-5 * np.abs(one).max()


def test_every_operator_is_tried(saved: Path) -> None:
    operators = [
        set(read_program(saved / form / "inference.pdmodel").operators)
        for form in (*ALWAYS, *NIGHTLY)
    ]
    wanted = {name for name in REWRITINGS if name.startswith("fake_")}
    assert wanted <= set.union(*operators)
    assert all(wanted & found for found in operators)


def test_values_that_are_all_0_stay_0(saved: Path, tmp_path: Path) -> None:
    made = convert(saved / "largest-8-1", tmp_path / "m.onnx")
    for size in (0, 1e-31, 1e-9):
        values = np.full((1, 3, 32, 32), size, np.float32)
        one, other = (
            source_network(path, threads=1)(values) for path in (saved / "largest-8-1", made)
        )
        assert np.abs(one - other).max() <= 1e-5 * np.abs(one).max()


def test_an_unknown_operator_is_refused_by_its_name(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved / "largest-8-1", tmp_path / "unknown")
    program = folder / "inference.pdmodel"
    known, unknown = b"fake_quantize_dequantize_abs_max", b"fake_quantize_dequantize_abs_min"
    program.write_bytes(program.read_bytes().replace(known, unknown))
    with pytest.raises(ModelError, match=f"unknown operators {unknown.decode()};") as why:
        convert(folder, tmp_path / "m.onnx")
    assert "onnx_format=True" in str(why.value)
    assert "\n" not in str(why.value)
    assert not (tmp_path / "m.onnx").exists()


def test_a_scale_that_still_moves_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is in training mode") as why:
        convert(saved / "training-8-1", tmp_path / "m.onnx")
    assert "\n" not in str(why.value)
