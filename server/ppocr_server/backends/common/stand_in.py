"""What Triton calls, the same for every engine: start an instance, answer requests.

Triton loads a backend's `model.py` where the backend's folder has no shared library; every
instance is a process of its own. The same `config.pbtxt` fields are honoured with the same
meaning as by the C++ backend of that name, so that one model repository serves here and in the
container.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import triton_python_backend_utils as pb

from ppocr_engine.errors import EngineError
from ppocr_engine.session import Array, Feeds, Session
from ppocr_engine.spec import DEFAULT_FILES, EngineSpec
from ppocr_server.backends.common.lone_run import open_counted
from ppocr_server.backends.common.tensors import check_complete, check_tensors, run_requests

# Fields of the configuration that need what a Python-based backend does not get.
REFUSED = {
    "sequence_batching": "sequence batching",
    "batch_input": "batch_input (values that the batcher adds)",
    "batch_output": "batch_output (outputs shaped by the batcher)",
}


class StandIn:
    """One instance of one model, run by the engine that a subclass names."""

    backend: ClassVar[str]

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the network of this instance and compare graph and configuration."""
        config = json.loads(args["model_config"])
        kind, device = args["model_instance_kind"], int(args["model_instance_device_id"])
        folder = Path(args["model_repository"]) / args["model_version"]
        self._session = session = open_session(self.backend, folder, config, kind, device)
        batch = config["max_batch_size"]
        self._batching = batch > 0
        self._only_rows = only_rows(config, self.backend)
        self._inputs = check_tensors("input", config["input"], session.feedable, batch)
        self._outputs = check_tensors("output", config["output"], session.outputs, batch)
        check_complete(session.inputs, self._inputs)
        name = args["model_instance_name"]
        pb.Logger.log_info(f"{name}: Python stand-in for {self.backend}, {session.description}")
        for note in session.notes:
            pb.Logger.log_warn(f"{name}: without effect: {note}")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer all requests; a failing one gets an error of its own."""
        feeds = [self._feeds(request) for request in requests]
        if self._only_rows and (refused := refuse_rows(feeds, self._only_rows)):
            return [_error(refused) for _ in requests]
        answers = run_requests(
            feeds, self._run, batching=self._batching, errors=self._session.errors
        )
        return [
            _error(self._session.said(answer))
            if isinstance(answer, Exception)
            else _response(request, answer)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def _feeds(self, request: Any) -> Feeds:
        """Views of the request's tensors in shared memory; optional ones may be absent."""
        tensors = ((name, pb.get_input_tensor_by_name(request, name)) for name in self._inputs)
        return {name: tensor.as_numpy() for name, tensor in tensors if tensor is not None}

    def _run(self, feeds: Feeds) -> Mapping[str, Array]:
        return self._session.run(feeds, self._outputs)


def open_session(
    backend: str, folder: Path, config: Mapping[str, Any], kind: str, device: int
) -> Session:
    """Load the network of an instance from its version's folder.

    Args:
        backend: "onnxruntime" or "openvino".
        folder: of the version.
        config: Triton's model configuration as JSON.
        kind: of the instance: "CPU", "GPU" or "MODEL"; only "GPU" uses a GPU.
        device: the GPU of the instance.

    Raises:
        EngineError: it asks for what no stand-in can do, or the file does not exist or cannot be
            loaded.
    """
    for key, what in REFUSED.items():
        if config.get(key):
            raise EngineError(f"{what} is not supported by the Python stand-in for {backend}")
    if config.get("model_transaction_policy", {}).get("decoupled"):
        raise EngineError(f"decoupled answers are not supported by {backend} models")
    spec = EngineSpec.read({**config, "backend": backend})
    assert spec is not None
    path = folder / spec.file_name
    if path.is_dir():
        path = path / DEFAULT_FILES[backend]
    if not path.is_file():
        raise EngineError(f"{path} does not exist; run `ppocr-convert build`")
    spec = replace(spec, device="gpu" if kind == "GPU" else "cpu", device_id=device)
    return open_counted(path, spec, config)


def only_rows(config: Mapping[str, Any], backend: str) -> int:
    """The rows that every request must have, 0 where it may have any up to `max_batch_size`."""
    parameters = config.get("parameters", {})
    padded = parameters.get("ENABLE_BATCH_PADDING", {}).get("string_value", "").upper() == "YES"
    return 0 if backend != "openvino" or padded else int(config["max_batch_size"])


def refuse_rows(requests: Sequence[Feeds], rows: int) -> str:
    """Why the C++ backend for OpenVINO runs none of these requests, "" where it does.

    It adds up their rows and compares after each of them (`ProcessRequests` in src/openvino.cc), so
    that the first alone must have all of them.
    """
    got = len(next(iter(requests[0].values())))
    if got == rows:
        return ""
    return (
        f"expected requests with batch size '{rows}', got '{got}'... this error can be avoided by "
        "setting 'ENABLE_BATCH_PADDING' parameter in model configuration to 'YES' at a performance "
        "cost."
    )


def _response(request: Any, answer: Mapping[str, Array]) -> Any:
    wanted = request.requested_output_names()
    return pb.InferenceResponse(
        [pb.Tensor(name, array) for name, array in answer.items() if name in wanted]
    )


def _error(reason: str) -> Any:
    return pb.InferenceResponse(error=pb.TritonError(reason, pb.TritonError.INTERNAL))
