"""Ways to run a network: by Paddle Inference, ONNX Runtime, OpenVINO; compiled or as converted.

All of them are brought to two forms, which proof and reading can compare:

    Detector    uint8 [N, H, W, 3]                           -> float32 [N, H, W]
    Recogniser  uint8 [N, height, W, 3], int32 widths [N, 1] -> int32 [N, T], float32 [N, T]

A classifier is a recogniser with one step; one that takes stretched crops looks at no widths.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ppocr_converters.catalogue.entries import Normalisation
from ppocr_converters.errors import ConvertError, ModelError
from ppocr_converters.paddle.model_folder import combined, find_paddle_model
from ppocr_converters.paddle.program import read_program
from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores, has_bfloat16
from ppocr_engine.session import Session
from ppocr_engine.spec import GRAPH_AS_WRITTEN, ONNXRUNTIME, EngineSpec

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
#: float32 [N, 3, H, W] to the network's own output.
Network = Callable[[Floats], Floats]
Detector = Callable[[Bytes], Floats]
Recogniser = Callable[[Bytes, Ints], tuple[Ints, Floats]]


def source_network(path: Path, *, threads: int) -> Network:
    """The network a model was made from: a folder runs in Paddle, a file in ONNX Runtime."""
    return (
        paddle_network(path, threads=threads)
        if path.is_dir()
        else onnx_network(path, threads=threads)
    )


def paddle_network(folder: Path, *, threads: int) -> Network:
    """A Paddle model run by Paddle Inference on the CPU in float32.

    One with the older operators of quantisation runs as it is written: what Paddle 3.2 rewrites
    of it for integers fails in the first run, "could not create a primitive descriptor".

    Raises:
        ModelError: Paddle cannot load it.
        ConvertError: Paddle is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # paddle asks for ccache
            from paddle import inference
    except ImportError as error:
        raise ConvertError(
            f"the proof needs Paddle ({error}); pip install 'ppocr-triton[convert]'"
        ) from error
    with combined(find_paddle_model(folder)) as (program, weights):
        config = inference.Config(str(program), str(weights))
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads)
        # The older executor keeps every intermediate tensor of the largest run: 2.8 GB for six
        # lines of 1024 pixels of PP-OCRv4_mobile_rec, where this one takes 0.7 GB.
        config.enable_new_executor()
        if any(name.startswith("fake_") for name in read_program(program).operators):
            config.switch_ir_optim(False)
        try:
            predictor = inference.create_predictor(config)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"Paddle cannot load {folder}: {_last_line(error)}") from error
    given = predictor.get_input_handle(predictor.get_input_names()[0])
    answer = predictor.get_output_handle(predictor.get_output_names()[0])

    def run(values: Floats) -> Floats:
        given.reshape(values.shape)
        given.copy_from_cpu(np.ascontiguousarray(values))
        predictor.run()
        result: Floats = answer.copy_to_cpu()
        return result

    return run


def onnx_network(path: Path, *, threads: int) -> Network:
    """A converted network run by ONNX Runtime without any graph optimisation."""
    session = compiled_network(path, EngineSpec(threads=threads, graph_level=GRAPH_AS_WRITTEN))
    name = next(iter(session.inputs))
    return lambda values: session({name: values})[0]


def compiled_network(path: Path, spec: EngineSpec) -> Session:
    """A compiled network as the server runs it.

    Args:
        path: the file.
        spec: engine and threads, 0 for one a core.

    Raises:
        ModelError: the engine refuses the file, or is not here.
    """
    try:
        if spec.precision == "bf16" and not has_bfloat16():
            raise ModelError(
                "this processor has no bfloat16 (AVX512-BF16 or AMX), so nothing can be proven of "
                "it here; build on the machine that serves, or take openvino in fp32"
            )
        return replace(spec, threads=spec.threads or available_cores()).open(path)
    except EngineError as error:
        raise ModelError(str(error)) from error


def compiled_detector(path: Path, spec: EngineSpec = ONNXRUNTIME) -> Detector:
    """A compiled detector, as it is served."""
    network = compiled_network(path, spec)

    def run(pixels: Bytes) -> Floats:
        return network({"DET_INPUT": pixels})[0]

    return run


def compiled_recogniser(path: Path, spec: EngineSpec = ONNXRUNTIME) -> Recogniser:
    """A compiled recogniser (or classifier), as it is served."""
    network = compiled_network(path, spec)

    def run(crops: Bytes, widths: Ints) -> tuple[Ints, Floats]:
        indices, probabilities = network({"CROPS": crops, "WIDTHS": widths})
        return indices, probabilities

    return run


def plain_detector(network: Network, norm: Normalisation) -> Detector:
    """A network that was not compiled, with the arithmetic around it done here."""

    def run(pixels: Bytes) -> Floats:
        return network(normalise(pixels, norm))[:, 0]

    return run


def plain_recogniser(network: Network, norm: Normalisation, *, padded: bool = True) -> Recogniser:
    """A network that was not compiled, with the arithmetic around it done here."""
    classes = plain_classes(network, norm, padded=padded)

    def run(crops: Bytes, widths: Ints) -> tuple[Ints, Floats]:
        scores = classes(crops, widths)
        return scores.argmax(axis=-1).astype(np.int32), scores.max(axis=-1)

    return run


def plain_classes(
    network: Network, norm: Normalisation, *, padded: bool = True
) -> Callable[[Bytes, Ints], Floats]:
    """As `plain_recogniser`, but with the probability of every class: float32 [N, T, classes].

    Crops that are not padded are those of the classifier that learnt colours red first.
    """

    def run(crops: Bytes, widths: Ints) -> Floats:
        values = normalise(crops, norm)
        scores = network(mask(values, widths) if padded else values[:, ::-1])
        return scores[:, None] if scores.ndim == 2 else scores

    return run


def normalise(pixels: Bytes, norm: Normalisation) -> Floats:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W], in the order of PaddleOCR's own steps."""
    mean, std = np.array(norm.mean, np.float32), np.array(norm.std, np.float32)
    values: Floats = (pixels.astype(np.float32) * np.float32(1 / 255) - mean) / std
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def mask(values: Floats, widths: Ints) -> Floats:
    """Set the columns of [N, C, H, W] from each row's width on to 0: PaddleOCR's padding."""
    columns = np.arange(values.shape[3])
    inside = columns[None, None, None, :] < widths[:, :, None, None]
    masked: Floats = np.where(inside, values, np.float32(0))
    return masked


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
