"""Ways to run a network: by Paddle Inference, ONNX Runtime, OpenVINO; compiled or as converted.

All of them are brought to two forms, which proof and reading can compare:

    Detector    uint8 [N, H, W, 3]                           -> float32 [N, H, W]
    Recogniser  uint8 [N, height, W, 3], int32 widths [N, 1] -> int32 [N, T], float32 [N, T]

A classifier is a recogniser with one step; one that takes stretched crops looks at no widths.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_converters.catalogue.entries import Normalisation
from ppocr_converters.errors import ConvertError, ModelError
from ppocr_converters.paddle.model_folder import combined, find_paddle_model
from ppocr_converters.paddle.program import read_program
from ppocr_converters.repository.profiles import available_cores

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
#: float32 [N, 3, H, W] to the network's own output.
Network = Callable[[Floats], Floats]
Feeds = Mapping[str, np.ndarray]
#: Inputs by name to the outputs in the order of the graph.
CompiledNetwork = Callable[[Feeds], list[np.ndarray]]
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
    session = onnx_session(path, optimise=False, threads=threads)
    name = session.get_inputs()[0].name

    def run(values: Floats) -> Floats:
        result: Floats = session.run(None, {name: values})[0]
        return result

    return run


#: The ONNX Runtime providers of an engine, most wanted first.
PROVIDERS: dict[str, tuple[str, ...]] = {
    "onnxruntime": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": (
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ),
}
#: OpenVINO's name of the precision of an engine.
OPENVINO = {"openvino": "f32", "openvino-bf16": "bf16"}
ENGINES = (*PROVIDERS, *OPENVINO)


@dataclass(frozen=True)
class Way:
    """How a compiled network is run.

    Attributes:
        engine: one of `ENGINES`.
        threads: of one run, 0 is one a core.
    """

    engine: str = "onnxruntime"
    threads: int = 0

    def __str__(self) -> str:
        return f"{self.engine} x{self.threads or 'cores'}"


#: By ONNX Runtime with all cores, as compiled models themselves are proven.
PLAIN = Way()


def compiled_network(path: Path, way: Way) -> CompiledNetwork:
    """A compiled network as the server runs it.

    Args:
        path: the file.
        way: engine and threads.

    Raises:
        ModelError: the engine refuses the file, or is not here.
    """
    threads = way.threads or available_cores()
    if way.engine in OPENVINO:
        return _openvino_network(path, threads=threads, precision=OPENVINO[way.engine])
    session = onnx_session(path, threads=threads, engine=way.engine)
    names = [given.name for given in session.get_inputs()]

    def run(feeds: Feeds) -> list[np.ndarray]:
        outputs: list[np.ndarray] = session.run(None, {name: feeds[name] for name in names})
        return outputs

    return run


def _openvino_network(path: Path, *, threads: int, precision: str) -> CompiledNetwork:
    """The very code that serves, around one file."""
    from ppocr_server.backends.common.config import ConfigurationError
    from ppocr_server.backends.openvino.request import compile_network, has_bfloat16
    from ppocr_server.backends.openvino.settings import Settings

    try:
        if precision == "bf16" and not has_bfloat16():
            raise ModelError(
                "this processor has no bfloat16 (AVX512-BF16 or AMX), so nothing can be proven of "
                "it here; build on the machine that serves, or take openvino in fp32"
            )
        compiled = compile_network(path, Settings(threads=threads, precision=precision))
    except ConfigurationError as error:
        raise ModelError(str(error)) from error
    request = compiled.create_infer_request()
    names = [port.any_name for port in compiled.inputs]

    def run(feeds: Feeds) -> list[np.ndarray]:
        found = request.infer({name: feeds[name] for name in names}, share_inputs=True)
        return [found[port] for port in compiled.outputs]

    return run


def onnx_session(
    path: Path, *, threads: int, optimise: bool = True, engine: str = "onnxruntime"
) -> Any:
    """A session as the server opens it: all optimisations, warnings shown.

    Args:
        path: the file.
        threads: of one run.
        optimise: the graph; without, it runs as it is written.
        engine: a key of `PROVIDERS`.

    Raises:
        ModelError: ONNX Runtime refuses the file, or this build of it lacks the engine.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    refusals = (
        ort_errors.Fail,
        ort_errors.InvalidArgument,
        ort_errors.InvalidGraph,
        ort_errors.InvalidProtobuf,
        ort_errors.NotImplemented,
        ort_errors.RuntimeException,
    )
    providers = list(PROVIDERS[engine])
    try:
        _require(providers, onnxruntime.get_available_providers(), engine)
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except refusals as error:
        raise ModelError(f"ONNX Runtime refuses {path}: {_last_line(error)}") from error
    _require(providers, session.get_providers(), engine)  # one that cannot start is just left out
    return session


def _require(wanted: list[str], present: list[str], engine: str) -> None:
    if missing := [name for name in wanted if name not in present]:
        raise ModelError(
            f"the engine {engine} needs {', '.join(missing)}; this ONNX Runtime and machine have "
            f"{', '.join(present)}. Install the build of ONNX Runtime that has it in an "
            f"environment of its own"
        )


def compiled_detector(path: Path, way: Way = PLAIN) -> Detector:
    """A compiled detector, as it is served."""
    network = compiled_network(path, way)

    def run(pixels: Bytes) -> Floats:
        return network({"DET_INPUT": pixels})[0]

    return run


def compiled_recogniser(path: Path, way: Way = PLAIN) -> Recogniser:
    """A compiled recogniser (or classifier), as it is served."""
    network = compiled_network(path, way)

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
