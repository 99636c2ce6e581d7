"""The client's way to Triton over gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from ppocr_client.errors import OcrError, error_of_status
from ppocr_client.options import Value
from ppocr_client.transport import Address

INT32_MAX = 2**31 - 1

CHANNEL = [
    # gRPC's own limit of 4 MB is smaller than a photo; the server has limits with better words.
    ("grpc.max_send_message_length", INT32_MAX),
    ("grpc.max_receive_message_length", INT32_MAX),
    # A server that starts is found within a second or two, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


class GrpcTransport:
    """One gRPC channel; requests of several threads share it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client = grpc.InferenceServerClient(address.netloc, channel_args=CHANNEL)

    def infer(
        self, model: str, image: bytes, parameters: Mapping[str, Value], timeout: float
    ) -> dict[str, npt.NDArray[Any]]:
        """See `Transport.infer`."""
        tensor = grpc.InferInput("IMAGE", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([image], np.object_))
        try:
            answer = self._client.infer(
                model, [tensor], parameters=dict(parameters), client_timeout=timeout
            )
        except InferenceServerException as error:
            raise self._error(error, timeout) from None
        names = [output.name for output in answer.get_response().outputs]
        return {name: answer.as_numpy(name) for name in names}

    def model_ready(self, model: str, timeout: float) -> bool:
        """See `Transport.model_ready`."""
        try:
            return bool(self._client.is_model_ready(model, client_timeout=timeout))
        except InferenceServerException as error:
            raise self._error(error, timeout) from None

    def close(self) -> None:
        """See `Transport.close`."""
        self._client.close()

    def _error(self, error: InferenceServerException, timeout: float) -> OcrError:
        status = str(error.status()).removeprefix("StatusCode.")
        reason = str(error.message())
        if status == "DEADLINE_EXCEEDED":
            reason = f"no answer from {self._address} within {timeout:g} s"
        elif status == "UNAVAILABLE":
            reason = f"{self._address}: {reason}"
        return error_of_status(status, reason)
