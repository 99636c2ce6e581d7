"""Stand-in for Triton's C++ `onnxruntime` backend, where that one is absent.

Triton loads this file for `backend: "onnxruntime"` when the backend's folder has no shared
library; every instance is a process of its own. The same `config.pbtxt` fields are honoured with
the same meaning, so that one model repository serves here and in the container.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb

from ppocr_server.backends.onnxruntime.batching import Array, Feeds, run_requests
from ppocr_server.backends.onnxruntime.session import (
    open_session,
    run_options,
    runtime_errors,
    weights_path,
)
from ppocr_server.backends.onnxruntime.settings import Settings, read_settings
from ppocr_server.backends.onnxruntime.tensors import (
    DEFAULT_MAX_BATCH_SIZE,
    check_complete,
    check_tensors,
    declarations,
    graph_tensors,
    supports_batching,
)


class TritonPythonModel:
    """One instance of one ONNX model."""

    @staticmethod
    def auto_complete_config(model_config: Any) -> Any:
        """Fill in inputs, outputs, batch size and batching where they are not declared."""
        config = model_config.as_dict()
        if config.get("input") and config.get("output"):
            return model_config
        settings = Settings(file_name=read_settings(config, kind="CPU", device=0).file_name)
        session = open_session(weights_path(Path(pb.get_model_dir()), settings.file_name), settings)
        inputs = list(graph_tensors(session.get_inputs()).values())
        outputs = list(graph_tensors(session.get_outputs()).values())
        batch = config.get("max_batch_size", 0)
        if supports_batching([*inputs, *outputs]):
            batch = batch or DEFAULT_MAX_BATCH_SIZE
            model_config.set_max_batch_size(batch)
            if batch > 1 and not config.get("dynamic_batching"):
                model_config.set_dynamic_batching()
        if not config.get("input"):
            for entry in declarations("input", inputs, batch):
                model_config.add_input(entry)
        if not config.get("output"):
            for entry in declarations("output", outputs, batch):
                model_config.add_output(entry)
        return model_config

    def initialize(self, args: Mapping[str, str]) -> None:
        """Open the session of this instance and compare graph and configuration."""
        config = json.loads(args["model_config"])
        kind, device = args["model_instance_kind"], int(args["model_instance_device_id"])
        settings = read_settings(config, kind=kind, device=device)
        folder = Path(args["model_repository"]) / args["model_version"]
        self._session = open_session(weights_path(folder, settings.file_name), settings)
        self._run_options = run_options(settings)
        self._errors = runtime_errors()
        self._batching = config["max_batch_size"] > 0

        required = graph_tensors(self._session.get_inputs())
        feedable = {**required, **graph_tensors(self._session.get_overridable_initializers())}
        batch = config["max_batch_size"]
        self._inputs = check_tensors("input", config["input"], feedable, batch)
        outputs = graph_tensors(self._session.get_outputs())
        self._outputs = check_tensors("output", config["output"], outputs, batch)
        check_complete(required, self._inputs)
        pb.Logger.log_info(
            f"{args['model_instance_name']}: Python stand-in for onnxruntime, {settings}"
        )
        for note in settings.ignored:
            pb.Logger.log_warn(f"{args['model_instance_name']}: without effect: {note}")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer all requests; a failing one gets an error of its own."""
        feeds = [self._feeds(request) for request in requests]
        answers = run_requests(feeds, self._run, batching=self._batching, errors=self._errors)
        return [
            _error(answer) if isinstance(answer, Exception) else _response(request, answer)
            for request, answer in zip(requests, answers, strict=True)
        ]

    def _feeds(self, request: Any) -> Feeds:
        """Views of the request's tensors in shared memory; optional ones may be absent."""
        tensors = ((name, pb.get_input_tensor_by_name(request, name)) for name in self._inputs)
        return {name: tensor.as_numpy() for name, tensor in tensors if tensor is not None}

    def _run(self, feeds: Feeds) -> Mapping[str, Array]:
        arrays = self._session.run(self._outputs, feeds, self._run_options)
        return dict(zip(self._outputs, arrays, strict=True))


def _response(request: Any, answer: Mapping[str, Array]) -> Any:
    wanted = request.requested_output_names()
    return pb.InferenceResponse(
        [pb.Tensor(name, array) for name, array in answer.items() if name in wanted]
    )


def _error(error: Exception) -> Any:
    return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
