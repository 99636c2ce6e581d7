"""Send pictures to Triton over one asynchronous gRPC channel, with retries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelReadyRequest
from tritonclient.utils import deserialize_bytes_tensor

from ppocr_client.errors import ENSEMBLE
from ppocr_client.transport.codec_grpc import bytes_tensor, with_tensors
from ppocr_client.transport.over_grpc import CHANNEL, stub_of
from ppocr_server.paddle_serving.protocol import ErrNo, PipelineError
from ppocr_server.paddle_serving.result_text import ANSWERS, AnswerForm
from ppocr_server.paddle_serving.settings import EndpointSettings, OptionValue

LOG = logging.getLogger(__name__)
PASSING = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
FIRST_PAUSE_SECONDS = 0.05
READY_SECONDS = 2.0
# Triton's refusals that have a number of Paddle Serving; all others are INFERENCE.
ERR_NO = {"INVALID_ARGUMENT": ErrNo.UNKNOWN, "DEADLINE_EXCEEDED": ErrNo.TIMEOUT}


class TritonBackend:
    """Reads pictures with the model `settings.model` of the Triton at `url` ("host:port").

    Attributes:
        url: as given.
        stub: the generated one of tritonclient. Its client classes build new objects for each
            request, which took as long as the whole call.
    """

    def __init__(self, url: str, settings: EndpointSettings) -> None:
        """Prepare the channel; must be called in a running event loop.

        Raises:
            ServerError: a certificate cannot be read.
        """
        self.url = url
        self._channel = settings.upstream.channel(url, CHANNEL)
        self._stub: Any = stub_of(self._channel)
        self._settings = settings
        self._form = ANSWERS[settings.answer]
        self._constant = constant_part(settings.model, settings.options).SerializeToString()

    async def read(self, picture: bytes, request_id: str) -> str:
        """Return the text of the result; cancelling this cancels the request at Triton.

        Args:
            picture: an encoded picture.
            request_id: the name of the request in Triton's logs and traces.

        Raises:
            PipelineError: 10000 if Triton refuses the picture, 6000 if its own deadline passed,
                9000 if it failed or could not be reached.
        """
        message = ModelInferRequest(id=request_id).SerializeToString() + self._constant
        request = with_tensors(message, bytes_tensor(picture))
        for tries_left in reversed(range(self._settings.retry)):
            try:
                text, warnings = text_of(await self._stub.ModelInfer(request), self._form)
                for warning in warnings:
                    LOG.warning("logid=%s %s", request_id, warning)
                return text
            except grpc.RpcError as error:
                status = error.code().name
                if status not in PASSING or not tries_left:
                    raise self._failure(status, error.details()) from error
            tried = self._settings.retry - tries_left
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (tried - 1))
        raise AssertionError("retry is at least 1")

    def _failure(self, status: str, reason: str) -> PipelineError:
        err_no = ERR_NO.get(status, ErrNo.INFERENCE)
        where = f"Triton at {self.url}: " if err_no == ErrNo.INFERENCE else ""
        return PipelineError(err_no, f"{where}{ENSEMBLE.sub('', reason)}")

    async def ready(self) -> bool:
        """Whether Triton answers and has the model loaded."""
        asked = ModelReadyRequest(name=self._settings.model)
        try:
            return bool((await self._stub.ModelReady(asked, timeout=READY_SECONDS)).ready)
        except grpc.RpcError:
            return False

    async def close(self) -> None:
        """Close the channel; requests in progress end as cancelled."""
        await self._channel.close()


def constant_part(model: str, options: Mapping[str, OptionValue]) -> Any:
    """The part that all requests share: everything except the id and the picture.

    It names no outputs, which asks for all: a repository of another version has no WARNINGS.
    """
    request = ModelInferRequest(model_name=model)
    request.inputs.add(name="IMAGE", datatype="BYTES", shape=[1])
    for name, value in options.items():
        parameter = request.parameters[name]
        if isinstance(value, bool):  # before int, which a bool is too
            parameter.bool_param = value
        elif isinstance(value, int):
            parameter.int64_param = value
        else:
            parameter.string_param = value
    return request


def text_of(answer: Any, form: AnswerForm) -> tuple[str, list[str]]:
    """The result's text from a ModelInferResponse with the outputs of a form, and its warnings.

    Raises:
        PipelineError: 9000 if the model lacks an output of the form.
    """
    names = [output.name for output in answer.outputs]
    raw = dict(zip(names, answer.raw_output_contents, strict=True))
    if missing := [name for name in form.outputs if name not in raw]:
        raise PipelineError(
            ErrNo.INFERENCE,
            f"the model {answer.model_name!r} has no output {', '.join(missing)}, only "
            f"{', '.join(names)}; choose another --model or --answer",
        )
    text = form.text(*(READERS[name](raw[name]) for name in form.outputs))
    return text, _texts(raw.get("WARNINGS", b""))


def _texts(raw: bytes) -> list[str]:
    return [text.decode() for text in deserialize_bytes_tensor(raw)]


#: How each tensor is read.
READERS: Mapping[str, Callable[[bytes], Any]] = {
    "TEXTS": _texts,
    "SCORES": lambda raw: np.frombuffer(raw, np.float32),
    "BOXES": lambda raw: np.frombuffer(raw, np.float32).reshape(-1, 4, 2),
}
