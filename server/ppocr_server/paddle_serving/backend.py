"""Send pictures to Triton over one asynchronous gRPC channel, with retries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from ppocr_client.errors import OcrError
from ppocr_client.transport.base import Infer, Ready, connect, parse_url
from ppocr_server.access import bearer
from ppocr_server.errors import ServerError
from ppocr_server.paddle_serving.protocol import ANSWERS, ErrNo, PipelineError
from ppocr_server.paddle_serving.settings import EndpointSettings

LOG = logging.getLogger(__name__)
PASSING = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
FIRST_PAUSE_SECONDS = 0.05
READY_SECONDS = 2.0
LONGEST_SECONDS = 86_400.0  # the deadline of a request is its service's
# Triton's refusals that have a number of Paddle Serving; all others are INFERENCE.
ERR_NO = {"INVALID_ARGUMENT": ErrNo.UNKNOWN, "DEADLINE_EXCEEDED": ErrNo.TIMEOUT}


class TritonBackend:
    """Reads pictures with the model `settings.model` of the Triton at `url` ("host:port")."""

    def __init__(self, url: str, settings: EndpointSettings) -> None:
        """Prepare the channel, which opens with the first request.

        Raises:
            ServerError: the address is none, or a certificate cannot be read.
        """
        self._url, self._settings, upstream = url, settings, settings.upstream
        headers = {} if upstream.token is None else {"Authorization": bearer(upstream.token)}
        try:
            address = parse_url(f"{'grpc' if upstream.tls is None else 'grpcs'}://{url}")
            self._triton = connect(address, headers, upstream.tls, in_loop=True)
        except ValueError as error:
            raise ServerError(str(error)) from error

    async def read(self, picture: bytes, request_id: str) -> str:
        """Return the text of the result; cancelling this cancels the request at Triton.

        Args:
            picture: an encoded picture.
            request_id: the name of the request in Triton's logs and traces.

        Raises:
            PipelineError: 10000 if Triton refuses the picture, 6000 if its own deadline passed,
                9000 if it failed or could not be reached.
        """
        settings, image = self._settings, np.array([picture], np.object_)
        # It names no outputs, which asks for all: a repository of another version has no WARNINGS.
        infer = Infer(settings.model, {"IMAGE": image}, settings.options, request_id)
        for tried in range(1, settings.retry + 1):
            try:
                answer = await self._triton.send(infer, LONGEST_SECONDS)
            except OcrError as error:
                if error.status not in PASSING or tried == settings.retry:
                    err_no = ERR_NO.get(error.status or "", ErrNo.INFERENCE)
                    told = err_no != ErrNo.INFERENCE or self._url in error.reason
                    at = "" if told else f"Triton at {self._url}: "
                    raise PipelineError(err_no, f"{at}{error.reason}") from error
            else:
                for warning in texts_of(answer, "WARNINGS"):
                    LOG.warning("logid=%s %s", request_id, warning)
                return text_of(answer, settings.answer, settings.model)
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (tried - 1))
        raise AssertionError("retry is at least 1")

    async def ready(self) -> bool:
        """Whether Triton answers and has the model loaded."""
        try:
            return bool(await self._triton.send(Ready(self._settings.model), READY_SECONDS))
        except OcrError:
            return False

    async def close(self) -> None:
        """Close the channel; requests in progress end as cancelled."""
        await self._triton.close()


def text_of(answer: Mapping[str, Any], form: str, model: str) -> str:
    """The result's text, in a form of `ANSWERS`, from the tensors of a model's answer.

    Raises:
        PipelineError: 9000 if the model lacks an output of the form.
    """
    outputs, written = ANSWERS[form]
    if missing := [name for name in outputs if name not in answer]:
        raise PipelineError(
            ErrNo.INFERENCE,
            f"the model {model!r} has no output {', '.join(missing)}, only "
            f"{', '.join(answer)}; choose another --model or --answer",
        )
    tensors = {**answer, "TEXTS": texts_of(answer, "TEXTS")}
    return written(*(tensors[name] for name in outputs))


def texts_of(answer: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a tensor; none if it is not there."""
    return [text.decode() for text in answer.get(name, ())]
