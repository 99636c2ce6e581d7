"""The way to Triton: one asynchronous gRPC channel, tries again where that can help."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from ppocr_server.paddle_serving.protocol import ErrNo, PipelineError
from ppocr_server.paddle_serving.result_text import result_text
from ppocr_server.paddle_serving.settings import EndpointSettings

INT32_MAX = 2**31 - 1
CHANNEL = [
    ("grpc.max_send_message_length", INT32_MAX),
    ("grpc.max_receive_message_length", INT32_MAX),
    # A Triton that starts is found within a second or two, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
OUTPUTS = ("TEXTS", "SCORES", "BOXES")
PASSING = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
FIRST_PAUSE_SECONDS = 0.05
READY_SECONDS = 2.0
# Where Triton's refusal has the number that Paddle Serving gives for such a picture.
ERR_NO = {"INVALID_ARGUMENT": ErrNo.UNKNOWN, "DEADLINE_EXCEEDED": ErrNo.TIMEOUT}


class TritonBackend:
    """Reads pictures with the model `settings.model` of the Triton at `url` ("host:port")."""

    def __init__(self, url: str, settings: EndpointSettings) -> None:
        """Prepare the channel; must be called in a running event loop."""
        self.url = url
        self.client = InferenceServerClient(url, channel_args=CHANNEL)
        self._settings = settings
        self._outputs = [InferRequestedOutput(name) for name in OUTPUTS]

    async def read(self, picture: bytes, request_id: str) -> str:
        """Return the text of the result; cancelling this cancels the request at Triton.

        Args:
            picture: an encoded picture.
            request_id: what Triton's logs and traces call the request.

        Raises:
            PipelineError: 10000 where Triton refuses the picture, 6000 where its own deadline
                passed, 9000 where it failed or could not be reached.
        """
        image = InferInput("IMAGE", [1], "BYTES")
        image.set_data_from_numpy(np.array([picture], np.object_))
        for tries_left in reversed(range(self._settings.retry)):
            try:
                answer = await self.client.infer(
                    self._settings.model,
                    [image],
                    outputs=self._outputs,
                    request_id=request_id,
                    parameters=dict(self._settings.options),
                )
                break
            except InferenceServerException as error:
                status = status_of(error)
                if status not in PASSING or not tries_left:
                    raise self._failure(status, error) from error
            tried = self._settings.retry - tries_left
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (tried - 1))
        texts, scores, boxes = (answer.as_numpy(name) for name in OUTPUTS)
        return result_text([text.decode() for text in texts], scores, boxes)

    def _failure(self, status: str, error: InferenceServerException) -> PipelineError:
        err_no = ERR_NO.get(status, ErrNo.INFERENCE)
        where = f"Triton at {self.url}: " if err_no == ErrNo.INFERENCE else ""
        return PipelineError(err_no, f"{where}{error.message()}")

    async def ready(self) -> bool:
        """Whether Triton answers and has the model loaded."""
        try:
            return bool(
                await self.client.is_model_ready(self._settings.model, client_timeout=READY_SECONDS)
            )
        except InferenceServerException:
            return False

    async def close(self) -> None:
        """Close the channel; requests in progress end as cancelled."""
        await self.client.close()


def status_of(error: InferenceServerException | Any) -> str:
    """The name of the gRPC status, such as "UNAVAILABLE"."""
    return str(error.status()).removeprefix("StatusCode.")
