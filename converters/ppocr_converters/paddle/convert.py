"""Paddle to ONNX, through paddle2onnx in a process of its own.

That process keeps the converter's chatter, its imports and its crashes away from the caller. The
opset is asked for exactly, the IR version is pinned, and the result must run at any batch, width
and (for a detector) height: a model that was made for one size reads other pictures wrongly.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
from onnx import ModelProto

from ppocr_converters.errors import ModelError
from ppocr_converters.files import new_file
from ppocr_converters.graph.edit import keep_outputs, opset, rename
from ppocr_converters.graph.onnx_model import load_onnx
from ppocr_converters.graph.standard_form import free_sizes, standard_form
from ppocr_converters.paddle.model_folder import (
    PaddleModel,
    check_weights,
    combined,
    find_paddle_model,
)
from ppocr_converters.paddle.paddle2onnx_fixes import scalars_to_vectors
from ppocr_converters.paddle.paddle2onnx_versions import PADDLE2ONNX, Tool, paddle2onnx_for
from ppocr_converters.paddle.program import ISNAN, read_program, without_isnan
from ppocr_converters.repository.serving_config.prototxt import read_prototxt

OPSET = 14
#: Read by every ONNX Runtime since 1.10, and so by every Triton since 22.01.
IR_VERSION = 8
#: What the converters say besides the reason of a failure.
CHATTER = re.compile(
    r"\[Paddle2ONNX\] (Start|Model file|Parameters file|Use opset|PaddlePaddle model is)|Traceback"
    r"|File \"|\d{4}-\d\d-\d\d .*\[(INFO|WARNING)\]|C\+\+ Traceback|-{5}|\[(Time|Signal)Info|None$"
    r"|\[Paddle2ONNX\] (Paddle model|Failed to convert|Due to)|No stack trace|Not support stack"
)
UNKNOWN = re.compile(r"operators not supported yet, including ([^\n]*)")
COLOURS = re.compile(r"\x1b\[[\d;]*m")


def convert(folder: Path, target: Path) -> Path:
    """Convert the Paddle model in a folder to an ONNX file with dynamic shapes.

    Inputs and outputs bear the names that the model's Paddle Serving configuration gives them,
    where there is one. The converter and its version are the file's producer.

    Raises:
        ModelError: damaged, quantised, with an operator the converter does not know, or not a
            PP-OCR network. `target` is not written then.
        ConvertError: the converter is not there.
    """
    source = find_paddle_model(folder)
    description = read_program(source.program)
    check_weights(source, description)
    description.require_float(folder)
    tool = paddle2onnx_for(source.format)
    with tempfile.TemporaryDirectory(prefix="ppocr-") as scratch, combined(source) as weights:
        program, raw = source.program, Path(scratch, "raw.onnx")
        if ISNAN in description.operators:
            program = Path(scratch, "inference.pdmodel")
            program.write_bytes(without_isnan(source.program.read_bytes()))
        _run_paddle2onnx(tool, program, weights, raw, source.program)
        model = _finish(load_onnx(raw), source, tool)
    try:
        model = free_sizes(model, standard_form(model).kind)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error
    with new_file(target) as temporary:
        onnx.save(model, temporary)
    return target


def _finish(model: ModelProto, source: PaddleModel, tool: Tool) -> ModelProto:
    """Repair and name what the converter wrote, and pin its versions."""
    model = scalars_to_vectors(model)
    conf = read_prototxt(source.program.parent)
    if conf is not None:
        model = keep_outputs(model, [fetch.name for fetch in conf.fetch_var])
        model = rename(model, {v.name: v.alias_name for v in (*conf.feed_var, *conf.fetch_var)})
    if opset(model) != OPSET:
        raise ModelError(f"{source.program} came out in opset {opset(model)}, not {OPSET}")
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = PADDLE2ONNX, tool.version
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"{source.program} came out as invalid ONNX: {error}") from error
    return model


def _run_paddle2onnx(tool: Tool, program: Path, weights: Path, target: Path, origin: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c"]
    command += ["from paddle2onnx.command import main; main()"]
    command += ["--model_dir", str(program.parent)]
    command += ["--model_filename", program.name, "--params_filename", str(weights.absolute())]
    command += ["--save_file", str(target), "--opset_version", str(OPSET)]
    command += ["--enable_auto_update_opset", "False", "--enable_onnx_checker", "True"]
    command += [] if tool.version.startswith("1.") else ["--optimize_tool", "None"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=tool.environment
    )
    if done.returncode == 0 and target.is_file() and target.stat().st_size > 0:
        return
    said = [COLOURS.sub("", line).strip() for line in f"{done.stdout}\n{done.stderr}".splitlines()]
    unknown = UNKNOWN.search("\n".join(said))
    said = [line for line in said if line and not CHATTER.match(line)]
    if unknown is not None:
        names = ", ".join(re.findall(r"[\w.]+", unknown[1]))
        reason = f"it does not know the operators {names}"
    elif any("No module named" in line for line in said):
        reason = f"{said[-1]}; install the converters: pip install 'ppocr-triton[convert]'"
    elif done.returncode < 0 and not said:
        reason = f"it was stopped by signal {-done.returncode}"
    else:
        reason = said[-1] if said else "it gave no reason"
    raise ModelError(f"cannot convert {origin}: {PADDLE2ONNX} {tool.version}: {reason}")
