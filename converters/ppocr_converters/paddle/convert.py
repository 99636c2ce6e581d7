"""Paddle to ONNX, through paddle2onnx in a process of its own.

That process keeps the converter's chatter, its imports and its crashes away from the caller. The
opset is asked for exactly, the IR version is pinned, and the result must run at any batch, width
and (for a detector) height: a model that was made for one size reads other pictures wrongly.

No one version of paddle2onnx converts it all (measured with paddlepaddle 3.2.2):

1.3.1  converts Paddle 2 programs, all families of PP-OCR, without Paddle and without repairs; it
       cannot read Paddle 3 programs.
2.1.0  reads Paddle 3 programs, with one repair (`_scalars_to_vectors`); on Paddle 2 programs it
       dies of the LSTM in PP-OCRv2's recogniser (signal 6). It pins onnx below 1.18, against the
       serving side's version, though it runs without it.

So 1.3.1 is a dependency, and 2.1.0 is put, without its dependencies, into a folder of its own when
the first Paddle 3 program is converted.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, helper

from ppocr_converters.errors import ConvertError, ModelError
from ppocr_converters.files import new_file, new_folder
from ppocr_converters.graph.edit import add_initializer, keep_outputs, opset, rename
from ppocr_converters.graph.onnx_model import load_onnx
from ppocr_converters.graph.standard_form import free_sizes, standard_form
from ppocr_converters.paddle.model_folder import (
    PaddleModel,
    ProgramFormat,
    check_weights,
    combined,
    find_paddle_model,
)
from ppocr_converters.paddle.program import ISNAN, read_program, without_isnan
from ppocr_converters.pip import run_pip
from ppocr_converters.repository.serving_config.prototxt import read_prototxt

logger = logging.getLogger(__name__)

OPSET = 14
#: Read by every ONNX Runtime since 1.10, and so by every Triton since 22.01.
IR_VERSION = 8
PADDLE2ONNX = "paddle2onnx"
VERSIONS: dict[ProgramFormat, str] = {"pdmodel": "1.3.1", "pir": "2.1.0"}
#: Where versions that are not installed are kept, unless PPOCR_TOOLS names another folder.
TOOLS = Path("build/tools")
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
    with tempfile.TemporaryDirectory(prefix="ppocr-") as scratch, combined(source) as weights:
        program, raw = source.program, Path(scratch, "raw.onnx")
        if ISNAN in description.operators:
            program = Path(scratch, "inference.pdmodel")
            program.write_bytes(without_isnan(source.program.read_bytes()))
        _run_paddle2onnx(source, program, weights, raw)
        model = load_onnx(raw)
    _finish(model, source)
    try:
        free_sizes(model, standard_form(model).kind)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error
    with new_file(target) as temporary:
        onnx.save(model, temporary)
    return target


def _finish(model: ModelProto, source: PaddleModel) -> None:
    """Repair and name what the converter wrote, and pin its versions."""
    _scalars_to_vectors(model)
    conf = read_prototxt(source.program.parent)
    if conf is not None:
        keep_outputs(model, [fetch.name for fetch in conf.fetch_var])
        rename(model, {v.name: v.alias_name for v in (*conf.feed_var, *conf.fetch_var)})
    if opset(model) != OPSET:
        raise ModelError(f"{source.program} came out in opset {opset(model)}, not {OPSET}")
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = PADDLE2ONNX, VERSIONS[source.format]
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"{source.program} came out as invalid ONNX: {error}") from error


def _scalars_to_vectors(model: ModelProto) -> None:
    """Give every scalar that is concatenated one dimension.

    paddle2onnx 2 takes the pieces of a computed shape, slices whose axis Paddle squeezed away, as
    they are; `Concat` takes no scalars, and ONNX Runtime refuses the file.
    """
    while True:
        inferred = onnx.shape_inference.infer_shapes(model).graph
        known = (*inferred.value_info, *inferred.input, *inferred.output)
        types = {value.name: value.type.tensor_type for value in known}
        ranks = {n: len(t.shape.dim) for n, t in types.items() if t.HasField("shape")}
        ranks |= {weight.name: len(weight.dims) for weight in inferred.initializer}
        parts = [
            (node, place)
            for node in model.graph.node
            if node.op_type == "Concat"
            for place, name in enumerate(node.input)
            if ranks.get(name) == 0
        ]
        if not parts:
            return
        one = add_initializer(model, "ppocr.one_dimension", np.array([1], np.int64))
        for node, place in parts:
            name = f"{node.output[0]}.part{place}"
            reshape = helper.make_node("Reshape", [node.input[place], one], [name])
            model.graph.node.insert(list(model.graph.node).index(node), reshape)
            node.input[place] = name


def _run_paddle2onnx(source: PaddleModel, program: Path, weights: Path, target: Path) -> None:
    version = VERSIONS[source.format]
    command = [sys.executable, "-W", "ignore", "-c"]
    command += ["from paddle2onnx.command import main; main()"]
    command += ["--model_dir", str(program.parent)]
    command += ["--model_filename", program.name, "--params_filename", str(weights.absolute())]
    command += ["--save_file", str(target), "--opset_version", str(OPSET)]
    command += ["--enable_auto_update_opset", "False", "--enable_onnx_checker", "True"]
    command += [] if source.format == "pdmodel" else ["--optimize_tool", "None"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=_environment(source.format)
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
    raise ModelError(f"cannot convert {source.program}: {PADDLE2ONNX} {version}: {reason}")


def _environment(form: ProgramFormat) -> dict[str, str]:
    """The environment of a process that finds the version for a format, got with pip if need be.

    Raises:
        ConvertError: it is not there and cannot be got.
    """
    if _is_installed(form):
        return dict(os.environ)
    folder = _tool_folder(form)
    if not folder.is_dir():
        wanted = f"{PADDLE2ONNX}=={VERSIONS[form]}"
        logger.info("installing %s into %s", wanted, folder)
        with new_folder(folder) as fresh:
            if (reason := run_pip("install", wanted, "--target", str(fresh))) is not None:
                raise ConvertError(
                    f"this model needs {wanted}, which pip cannot install: {reason}; where there "
                    f"is no package index, unpack its wheel into {folder}"
                )
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}


def is_at_hand(form: ProgramFormat) -> bool:
    """Whether the version of paddle2onnx that converts a format is there already."""
    return _is_installed(form) or _tool_folder(form).is_dir()


def _tool_folder(form: ProgramFormat) -> Path:
    """Where the version for a format is kept that is not installed with the project."""
    return Path(os.environ.get("PPOCR_TOOLS", TOOLS)).resolve() / f"{PADDLE2ONNX}-{VERSIONS[form]}"


def _is_installed(form: ProgramFormat) -> bool:
    try:
        return metadata.version(PADDLE2ONNX) == VERSIONS[form]
    except metadata.PackageNotFoundError:
        return False
