"""Ways to run a network: by Paddle Inference, ONNX Runtime, OpenVINO; compiled or as converted.

A `PlainNetwork` takes normalised pictures and answers every class, as PaddleOCR's own do. A
`Network` takes and answers what the server's steps send and get, whatever it was made from.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto

from ppocr_converters.catalogue.entries import Normalisation
from ppocr_converters.errors import ConvertError, ModelError
from ppocr_converters.graph.kinds import kind_of
from ppocr_converters.graph.onnx_model import inputs, load_onnx, metadata
from ppocr_converters.graph.standard_form import free_sizes
from ppocr_converters.paddle.model_folder import combined, find_paddle_model
from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores, has_bfloat16
from ppocr_engine.session import Session
from ppocr_engine.spec import GRAPH_AS_WRITTEN, EngineSpec
from ppocr_pipeline.pipeline import Network

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
#: float32 [N, 3, H, W] to the network's own output.
PlainNetwork = Callable[[Floats], Floats]


#: What `compile` adds to a network that does not answer probabilities, computed here once more.
def _softmax(values: Floats) -> Floats:
    powers: Floats = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


ACTIVATIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "": lambda values: values,
    "sigmoid": lambda values: 1 / (1 + np.exp(-values)),
    "softmax": _softmax,
}


def source_network(path: Path, facts: Mapping[str, str]) -> PlainNetwork:
    """The network a model was made from: a folder runs in Paddle, a file in ONNX Runtime.

    `facts` are the metadata of the compiled model: which output is served, and what was added.

    Raises:
        ModelError: it cannot be loaded.
        ConvertError: Paddle is not installed.
    """
    output = int(facts.get("ppocr_output", "0"))
    activation = ACTIVATIONS[facts.get("ppocr_activation", "")]
    run = (_paddle_network if path.is_dir() else onnx_network)(path, output)
    return lambda values: activation(run(values))


def _paddle_network(folder: Path, output: int) -> PlainNetwork:
    """A Paddle model run by Paddle Inference on the CPU in float32."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # paddle asks for ccache
            from paddle import inference
    except ImportError as error:
        raise ConvertError(
            f"the proof needs Paddle ({error}); pip install 'ppocr-triton[convert]'"
        ) from error
    model = find_paddle_model(folder)
    with combined(model) as weights:
        config = inference.Config(str(model.program), str(weights))
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(available_cores())
        # The older executor keeps every intermediate tensor of the largest run: 2.8 GB for six
        # lines of 1024 pixels of PP-OCRv4_mobile_rec, where this one takes 0.7 GB.
        config.enable_new_executor()
        try:
            predictor = inference.create_predictor(config)
        except (RuntimeError, ValueError, OSError) as error:
            said = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = said[-1] if said else type(error).__name__
            raise ModelError(f"Paddle cannot load {folder}: {reason}") from error
    given = predictor.get_input_handle(predictor.get_input_names()[0])
    answer = predictor.get_output_handle(predictor.get_output_names()[output])

    def run(values: Floats) -> Floats:
        given.reshape(values.shape)
        given.copy_from_cpu(np.ascontiguousarray(values))
        predictor.run()
        result: Floats = answer.copy_to_cpu()
        return result

    return run


def onnx_network(path: Path, output: int = 0) -> PlainNetwork:
    """A converted network run by ONNX Runtime without any graph optimisation.

    Sizes that its file declares are left out: they decide nothing of what is computed.
    """
    model = load_onnx(path)
    with tempfile.TemporaryDirectory(prefix="ppocr-") as scratch:
        freed = Path(scratch, "network.onnx")
        free_sizes(model, kind_of(model))
        onnx.save(model, freed)
        session = compiled_network(freed, EngineSpec(graph_level=GRAPH_AS_WRITTEN))
    (name,) = session.inputs
    dtype = inputs(model)[0].dtype
    return lambda values: session({name: values.astype(dtype, copy=False)})[output].astype(
        np.float32, copy=False
    )


def compiled_network(path: Path, spec: EngineSpec) -> Session:
    """A compiled network as the server runs it; 0 threads are one a core.

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


def plain_network(path: Path, model: ModelProto) -> Network:
    """The network that a compiled one was made from, fed as that and answering as it."""
    network = source_network(path, metadata(model))
    if kind_of(model) == "det":
        norm = normalisation_of(model)
        return lambda feeds: [network(normalise(feeds["DET_INPUT"], norm))[:, 0]]
    classes = plain_classes(network, model)

    def read(feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        scores = classes(feeds)
        return [scores.argmax(axis=-1).astype(np.int32), scores.max(axis=-1)]

    return read


def plain_classes(
    network: PlainNetwork, model: ModelProto
) -> Callable[[Mapping[str, np.ndarray]], Floats]:
    """What a compiled recogniser or classifier is fed to every class: float32 [N, T, classes].

    Crops that are not padded are those of the classifier that learnt colours red first.
    """
    norm = normalisation_of(model)
    padded = any(tensor.name == "WIDTHS" for tensor in inputs(model))

    def run(feeds: Mapping[str, np.ndarray]) -> Floats:
        values = normalise(feeds["CROPS"], norm)
        scores = network(mask(values, feeds["WIDTHS"]) if padded else values[:, ::-1])
        return scores[:, None] if scores.ndim == 2 else scores

    return run


def normalisation_of(model: ModelProto) -> Normalisation:
    """The normalisation in a compiled model's metadata."""
    facts = metadata(model)
    mean, std = (tuple(map(float, facts[f"ppocr_{name}"].split(","))) for name in ("mean", "std"))
    return Normalisation(mean, std)


def normalise(pixels: Bytes, norm: Normalisation) -> Floats:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W], in the order of PaddleOCR's own steps."""
    mean, std = np.array(norm.mean, np.float32), np.array(norm.std, np.float32)
    values: Floats = (pixels.astype(np.float32) * np.float32(1 / 255) - mean) / std
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def mask(values: Floats, widths: Ints) -> Floats:
    """Set the columns of [N, C, H, W] from each row's width on to 0: PaddleOCR's padding."""
    inside = np.arange(values.shape[3]) < widths[:, :, None, None]
    masked: Floats = np.where(inside, values, np.float32(0))
    return masked
