"""The settings of the endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ppocr_pipeline.limits import Limits
from ppocr_server.access import Tls
from ppocr_server.paddle_serving.upstream import Upstream

OptionValue = str | int | bool

# For the parts of a request beside its picture: names, brackets, line breaks in the base64.
MARGIN_BYTES = 4 << 20

# With these options `ocr` reproduces Paddle Serving's own OCR pipeline, scores included.
PADDLE_SERVING_OPTIONS: Mapping[str, OptionValue] = {
    "reference": "paddle_serving",
    "det_limit_type": "max",
    "det_db_unclip_mode": "area",
    "det_split_gap": "0",
    "rec_padding": "paddle",
    "drop_score": "0",
    "reading_order": "rows",
    "orientation": "off",
}


@dataclass(frozen=True)
class EndpointSettings:
    """The two endpoints, as config.yml describes them.

    Attributes:
        name: of the service, the first part of the HTTP path.
        http_port: 0 picks a free one, None turns HTTP off.
        rpc_port: 0 picks a free one, None turns gRPC off.
        host: address to listen on; all addresses by default, as in Paddle Serving.
        worker_num: requests in progress at a time, at least 1; the next ones wait in order.
        max_waiting: requests that may wait; the next one is answered 6000 at once.
        retry: tries of a request while Triton is full or cannot be reached; 1 is no retry.
        timeout_ms: from the arrival of a request to its answer, otherwise 6000; below 0 no limit.
        max_message_bytes: longest HTTP body and gRPC message.
        max_picture_bytes: longest encoded picture, as `max_image_bytes` of det_preprocess.
        model: Triton's name of the pipeline.
        answer: the key of an answer, of ANSWERS in result_text.py.
        options: parameters sent to Triton with every request.
        token: that clients must send; None for none, as in Paddle Serving.
        tls: certificates of both endpoints; None for plain text, as in Paddle Serving.
        upstream: the connection to Triton.
    """

    name: str = "ocr"
    http_port: int | None = 9999
    rpc_port: int | None = 18090
    host: str = "0.0.0.0"  # nosec B104 # as Paddle Serving
    worker_num: int = 20
    max_waiting: int = 1000
    retry: int = 1
    timeout_ms: int = -1
    max_message_bytes: int = 256 << 20
    max_picture_bytes: int = Limits.max_image_bytes
    model: str = "ocr"
    answer: str = "result"
    options: Mapping[str, OptionValue] = field(default_factory=lambda: dict(PADDLE_SERVING_OPTIONS))
    token: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    upstream: Upstream = field(default_factory=Upstream)


def longest_base64(max_picture_bytes: int) -> int:
    """The longest request that can carry an allowed picture as base64, in bytes."""
    return max_picture_bytes * 4 // 3 + MARGIN_BYTES
