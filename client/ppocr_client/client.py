"""The client: pictures in, text out."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ppocr_client.errors import DeadlineExceeded, ImageError, ServerUnavailable
from ppocr_client.options import ReadOptions, request_parameters
from ppocr_client.results import OcrResult, result_of_tensors
from ppocr_client.transport import connect, parse_url

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

ImageSource = str | os.PathLike[str] | bytes | bytearray | memoryview

DEFAULT_URL = "grpc://127.0.0.1:8001"


class OcrClient:
    """A connection to a Triton server that serves the OCR pipeline.

        with OcrClient("grpc://127.0.0.1:8001") as client:
            print(client.read("photo.jpg").text)

    One client can be used by several threads at the same time.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, model: str = "ocr", timeout: float = 60.0
    ) -> None:
        """Prepare a connection; nothing is sent yet.

        Args:
            url: `grpc://host:port` or `http://host:port`; without a scheme it is gRPC.
            model: The name of the pipeline on the server.
            timeout: How many seconds a request may take if it does not say otherwise.

        Raises:
            ValueError: If the address or the timeout is not possible.
        """
        self.url = str(parse_url(url))
        self.model = model
        self.timeout = _positive(timeout)
        self._transport = connect(parse_url(url))

    def read(
        self,
        image: ImageSource,
        *,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> OcrResult:
        """Read the text of a picture.

        Args:
            image: A file's path, or the bytes of a JPEG, PNG, BMP, WebP or TIFF file.
            timeout: How many seconds this request may take.
            **options: See `ppocr_client.options.ReadOptions`; the server's defaults for the rest.

        Raises:
            OptionError: An option is unknown or out of its range; nothing was sent.
            ImageError: The picture cannot be read, by this client or by the server.
            ServerUnavailable: Nobody answers at the address.
            DeadlineExceeded: No answer came in time.
            OcrError: The server refused or failed for another reason; see `ppocr_client.errors`.
        """
        parameters = request_parameters(options)
        seconds = self.timeout if timeout is None else _positive(timeout)
        data = read_image(image)
        return result_of_tensors(self._transport.infer(self.model, data, parameters, seconds))

    def server_ready(self, *, timeout: float = 5.0) -> bool:
        """Whether the server answers and has the pipeline loaded."""
        try:
            return self._transport.model_ready(self.model, _positive(timeout))
        except (ServerUnavailable, DeadlineExceeded):
            return False

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server answers and has the pipeline loaded.

        Raises:
            ServerUnavailable: If it is not ready after `timeout` seconds, with the last reason.
        """
        deadline = time.monotonic() + _positive(timeout)
        reason = f"model {self.model!r} is not loaded"
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self._transport.model_ready(self.model, min(left, 5.0)):
                    return
            except (ServerUnavailable, DeadlineExceeded) as error:
                reason = error.reason
            time.sleep(min(0.1, max(0.0, deadline - time.monotonic())))
        raise ServerUnavailable(
            f"{self.url} was not ready within {timeout:g} s: {reason}", "UNAVAILABLE"
        )

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"OcrClient({self.url!r}, model={self.model!r})"


def read_image(image: ImageSource) -> bytes:
    """The bytes of an encoded picture given by path or as they are.

    Raises:
        ImageError: If the file cannot be read or there is nothing in it.
        TypeError: If `image` is neither a path nor bytes.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        data = bytes(image)
    elif isinstance(image, str | os.PathLike):
        try:
            data = Path(image).read_bytes()
        except OSError as error:
            raise ImageError(f"cannot read {os.fspath(image)}: {error.strerror}") from error
    else:
        raise TypeError(
            f"image is {type(image).__name__}; give a path or an encoded picture's bytes"
        )
    if not data:
        name = "the picture" if isinstance(image, bytes | bytearray | memoryview) else image
        raise ImageError(f"{name} is empty")
    return data


def _positive(seconds: float) -> float:
    if not seconds > 0:
        raise ValueError(f"timeout is {seconds!r}; it must be more than 0 seconds")
    return seconds
