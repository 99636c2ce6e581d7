"""What TensorRT and warm-up add to a config.pbtxt, through Triton's own `ModelConfig`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ppocr_converters.graph.onnx_model import Tensor
from ppocr_converters.repository.tensorrt.shapes import Bucket, Buckets, spelled, whole
from ppocr_engine.config_pbtxt import TYPES
from ppocr_engine.parameters import PARAMETERS

PLAN = "model.plan"


def set_up_provider(config: Any, buckets: Buckets) -> None:
    """Give ONNX Runtime's TensorRT provider the shapes of its engine.

    It gets one range over all buckets: the provider can build several profiles, but nothing says
    that it would choose among them by the shape of a request. Without explicit shapes it builds
    the engine again whenever a shape leaves what it has seen. Without a precision it computes in
    the types of the file.
    """
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    for accelerator in accelerators:
        if accelerator.name == "tensorrt":
            for what, shapes in spelled(whole(buckets)).items():
                accelerator.parameters[f"trt_profile_{what}_shapes"] = shapes


def add_warmup(config: Any, inputs: Sequence[Tensor], buckets: Buckets) -> None:
    """Have Triton run samples of each bucket, see `_rows`, at the start.

    Engines, cuDNN's choice of algorithms and memory arenas are then there before the first request
    comes. The samples are zeros: what counts is their shape.
    """
    types = {tensor.name: TYPES[tensor.dtype] for tensor in inputs}
    del config.model_warmup[:]
    for bucket, shapes in buckets.items():
        for rows in _rows(shapes):
            sample = config.model_warmup.add(name=f"{bucket}_rows{rows}", batch_size=rows)
            for name, range_ in shapes.items():
                given = sample.inputs[name]
                zeros = type(given)(data_type=types[name], dims=range_["opt"][1:], zero_data=True)
                given.CopyFrom(zeros)


def _rows(bucket: Bucket) -> list[int]:
    """The rows of a bucket that are prepared: the fewest, doubled again and again, and the most."""
    range_ = next(iter(bucket.values()))
    rows, most = [range_["min"][0]], range_["max"][0]
    while rows[-1] * 2 < most:
        rows.append(rows[-1] * 2)
    return [*rows, most]


def to_native(config: Any, buckets: Buckets) -> None:
    """Turn a network's configuration into one for an engine in the backend "tensorrt".

    Every instance may run every profile, and Triton takes the one nearest to a request. CUDA
    graphs are captured for the usual shape of each bucket, with the rows of `_rows`.
    """
    config.backend, config.platform = "tensorrt", ""
    config.default_model_filename = PLAN
    config.optimization.ClearField("execution_accelerators")
    for name in PARAMETERS["onnxruntime"]:
        config.parameters.pop(name, None)
    for group in config.instance_group:
        del group.profile[:]
        group.profile.extend(str(index) for index in range(len(buckets)))
    config.max_batch_size = max(r["max"][0] for b in buckets.values() for r in b.values())
    cuda = config.optimization.cuda
    cuda.Clear()
    cuda.graphs, cuda.busy_wait_events, cuda.output_copy_stream = True, True, True
    for bucket in buckets.values():
        for rows in _rows(bucket):
            spec = cuda.graph_spec.add(batch_size=rows)
            for name, range_ in bucket.items():
                spec.input[name].dim.extend(range_["opt"][1:])
