"""Paddle to ONNX, through paddle2onnx in a process of its own.

That process keeps the converter's chatter, its imports and its crashes away from the caller. The
opset is asked for exactly, and the result must have dynamic batch, width and (for a detector)
height: a model that came out with fixed shapes reads other pictures wrongly.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ppocr_converters.errors import ModelError
from ppocr_converters.files import new_file
from ppocr_converters.onnx_model import fixed_dimensions, inputs, kind_of, load_onnx
from ppocr_converters.paddle_model import FORMAT_NAMES, count_weights, find_paddle_model

OPSET = 14
CHATTER = ("[Paddle2ONNX] Start", "[Paddle2ONNX] Model file", "[Paddle2ONNX] Parameters file")


def convert(folder: Path, target: Path, *, opset: int = OPSET) -> Path:
    """Convert the Paddle model in a folder to an ONNX file with dynamic shapes.

    Raises:
        ModelError: damaged, of a form that the converter cannot read, with an operator it does
            not know, or not a PP-OCR network. `target` is not written then.
    """
    source = find_paddle_model(folder)
    if source.format != "pdmodel":
        raise ModelError(
            f"{source.program} is a {FORMAT_NAMES[source.format]}, which the pinned paddle2onnx "
            f"cannot read; give the model as .pdmodel or as ONNX"
        )
    count_weights(source.weights)
    with new_file(target) as temporary:
        _run_paddle2onnx(source.program, source.weights, temporary, opset)
        check_dynamic(temporary, folder)
    return target


def check_dynamic(path: Path, origin: Path) -> None:
    """See that the shapes which differ from picture to picture are dynamic.

    Raises:
        ModelError: a dimension is fixed; it is named.
    """
    model = load_onnx(path)
    given = inputs(model)[0]
    fixed = fixed_dimensions(kind_of(model), given.shape)
    if fixed:
        raise ModelError(f"{origin} has a fixed {' and '.join(fixed)} in its input {given}")


def _run_paddle2onnx(program: Path, weights: Path, target: Path, opset: int) -> None:
    command = [sys.executable, "-W", "ignore", "-c"]
    command += ["from paddle2onnx.command import main; main()"]
    command += ["--model_dir", str(program.parent)]
    command += ["--model_filename", program.name, "--params_filename", weights.name]
    command += ["--save_file", str(target), "--opset_version", str(opset)]
    command += ["--enable_auto_update_opset", "False", "--enable_onnx_checker", "True"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 and target.stat().st_size > 0:
        return
    said = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    said = [line for line in said if not line.startswith((*CHATTER, "Traceback", "File"))]
    if any("No module named" in line for line in said):
        reason = f"{said[-1]}; install the converters: pip install 'ppocr-triton[convert]'"
    elif done.returncode < 0:
        reason = f"paddle2onnx was stopped by signal {-done.returncode}"
    else:
        reason = said[-1] if said else "paddle2onnx gave no reason"
    raise ModelError(f"cannot convert {program}: {reason}")
