"""Each of Paddle's older operators of quantisation converts to the arithmetic of its own kernel."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from ppocr_converters.errors import ModelError
from ppocr_converters.paddle.convert import convert
from ppocr_converters.paddle.fake_quantisation import REWRITINGS
from ppocr_converters.paddle.program import read_program
from ppocr_converters.proof.networks import source_network

pytestmark = pytest.mark.paddle
SAVE = Path(__file__).parent / "save_quantised.py"
SAMPLES = Path(__file__).parents[2] / "samples"
DET = "PP-OCRv4_mobile_det"
Floats = npt.NDArray[np.float32]
Save = Callable[..., Path]
SCALE, BINS = 1.7, 127
#: Every form with the operators it must contain.
FORMS = {
    "moving": {"fake_quantize_dequantize_moving_average_abs_max"},
    "largest": {"fake_quantize_dequantize_abs_max"},
    "channels": {"fake_channel_wise_quantize_dequantize_abs_max"},
    "channels-two": {
        "fake_channel_wise_quantize_abs_max",
        "fake_channel_wise_dequantize_max_abs",
    },
    "conv-moving": {
        "fake_quantize_moving_average_abs_max",
        "fake_channel_wise_dequantize_max_abs",
    },
    "conv-range": {"fake_quantize_range_abs_max", "fake_dequantize_max_abs"},
    "conv-largest": {"fake_quantize_abs_max", "fake_dequantize_max_abs"},
    "conv-largest-channels": {"fake_quantize_abs_max", "fake_channel_wise_dequantize_max_abs"},
    "weights": {"fake_quantize_dequantize_abs_max"},
    "weights-out": {"fake_channel_wise_quantize_dequantize_abs_max"},
    "weights-in": {"fake_channel_wise_quantize_dequantize_abs_max"},
    "weights-two": {"fake_channel_wise_quantize_abs_max", "fake_channel_wise_dequantize_max_abs"},
}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a model in a form: `save(form, *more)` returns the folder."""

    def run(form: str, *more: str) -> Path:
        command = [sys.executable, "-W", "ignore", str(SAVE), form, str(tmp_path / form), *more]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return tmp_path / form

    return run


def pictures() -> Floats:
    """Random values, among them all halves between two steps and what lies beside them."""
    values = np.random.default_rng(0).normal(size=(2, 3, 40, 50)).astype(np.float32)
    halves = ((np.arange(-BINS, BINS) + 0.5) * SCALE / BINS).astype(np.float32)
    for row, direction in enumerate((-9, 0, 9)):
        beside = np.nextafter(halves, np.float32(direction)) if direction else halves
        values[0, 0, row * 6 : row * 6 + 6].reshape(-1)[: len(halves)] = beside
    return values


#: The quantising is one function for all, so two forms stand for other bits and roundings.
CASES = [(form, 8, 1) for form in FORMS]
CASES += [(form, *more) for form in ("moving", "channels") for more in ((8, 0), (4, 1))]
#: Each takes some ten seconds: these are tried every time, the others in the night.
ALWAYS = {("moving", 8, 1), ("channels-two", 8, 1), ("conv-range", 8, 1), ("channels", 4, 1)}
MARKED = [
    pytest.param(*case, marks=() if case in ALWAYS else pytest.mark.nightly) for case in CASES
]


@pytest.mark.parametrize(("form", "bits", "round_type"), MARKED)
def test_an_operator_agrees_with_paddle(
    save: Save, tmp_path: Path, form: str, bits: int, round_type: int
) -> None:
    folder = save(form, f"bit_length={bits}", f"round_type={round_type}")
    operators = read_program(folder / "inference.pdmodel").operators
    assert {name for name in operators if name.startswith("fake_")} == FORMS[form]
    made = convert(folder, tmp_path / "m.onnx")
    values = pictures()
    one, other = (source_network(path, threads=1)(values) for path in (folder, made))
    assert one.std() > 0.1
    # A step is more than 0.01 of what it is a step of; nothing here may fall the other way.
    assert np.abs(one - other).max() < 1e-5 * np.abs(one).max()


def test_every_operator_is_tried() -> None:
    tried = set().union(*FORMS.values())
    assert {name for name in REWRITINGS if name.startswith("fake_")} == tried


def test_values_that_are_all_0_stay_0(save: Save, tmp_path: Path) -> None:
    folder = save("largest", "bit_length=8", "round_type=1")
    made = convert(folder, tmp_path / "m.onnx")
    for size in (0, 1e-31, 1e-9):
        values = np.full((1, 3, 32, 32), size, np.float32)
        one, other = (source_network(path, threads=1)(values) for path in (folder, made))
        assert np.abs(one - other).max() <= 1e-5 * np.abs(one).max()


def test_a_detector_with_quantised_convolutions_agrees(
    save: Save, models: Path, tmp_path: Path
) -> None:
    pixels = cv2.resize(cv2.imread(str(SAMPLES / "receipt_en.jpg")), (320, 320))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    values = ((pixels / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    folder = save("inserted", str(models / DET), str(tmp_path / "values.npy"))
    made = convert(folder, tmp_path / "m.onnx")
    one, other = (source_network(path, threads=1)(values) for path in (folder, made))
    assert one.max() > 0.9
    # Exact through the first ten quantisations; then a value 2e-7 of a step from a half, after a
    # convolution that differs in the last bit, is rounded the other way, and 54 quantisations later
    # single pixels differ by 0.5. Measured: mean 0.0007, and 0.08 % of the mask. What the
    # quantisation itself changes is 0.0056 and 0.6 %.
    plain = source_network(models / DET, threads=1)(values)
    difference, quantising = np.abs(one - other).mean(), np.abs(one - plain).mean()
    assert difference < 0.002
    assert difference < quantising / 3
    assert ((one > 0.3) != (other > 0.3)).mean() < 0.002


def test_an_unknown_operator_is_refused_by_its_name(save: Save, tmp_path: Path) -> None:
    folder = save("largest", "bit_length=8", "round_type=1")
    program = folder / "inference.pdmodel"
    known, unknown = b"fake_quantize_dequantize_abs_max", b"fake_quantize_dequantize_abs_min"
    program.write_bytes(program.read_bytes().replace(known, unknown))
    with pytest.raises(ModelError, match=f"unknown operators {unknown.decode()};") as why:
        convert(folder, tmp_path / "m.onnx")
    assert "onnx_format=True" in str(why.value)
    assert "\n" not in str(why.value)
    assert not (tmp_path / "m.onnx").exists()


def test_a_scale_that_still_moves_is_refused(save: Save, tmp_path: Path) -> None:
    folder = save("training", "bit_length=8", "round_type=1")
    with pytest.raises(ModelError, match="is in training mode") as why:
        convert(folder, tmp_path / "m.onnx")
    assert "\n" not in str(why.value)
