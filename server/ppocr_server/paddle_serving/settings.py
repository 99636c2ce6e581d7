"""What the endpoints and their tracer can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ppocr_server.access.credentials import Tls
from ppocr_server.paddle_serving.upstream import Upstream

OptionValue = str | int | bool

# What a request holds beside its picture: names, brackets, line breaks in the base64.
MARGIN_BYTES = 4 << 20

# With these, `ocr` reads what Paddle Serving's own OCR pipeline reads, to the score.
PADDLE_SERVING_OPTIONS: Mapping[str, OptionValue] = {
    "reference": "paddle_serving",
    "rec_padding": "paddle",
    "drop_score": "0",
}


@dataclass(frozen=True)
class EndpointSettings:
    """The two endpoints, as config.yml describes them.

    Attributes:
        name: the service's name, first part of the HTTP path.
        http_port: 0 picks a free one, None leaves HTTP out.
        rpc_port: 0 picks a free one, None leaves gRPC out.
        host: address to listen on; all of them, as Paddle Serving does.
        worker_num: requests in progress at a time, from 1; the next ones wait in order.
        max_waiting: how many may wait; one more is answered 6000 at once.
        retry: tries of a request that Triton had no room for or could not be reached for; 1 is
            no retry.
        timeout_ms: from a request's arrival to its answer, which is 6000 then; below 0 no limit.
        max_message_bytes: longest HTTP body and gRPC message.
        max_picture_bytes: longest encoded picture, as `max_image_bytes` of det_preprocess.
        model: Triton's name of the pipeline.
        options: parameters sent to Triton with every request.
        token: what clients must send; None, as Paddle Serving's send none.
        tls: certificates of both endpoints; None, as Paddle Serving's speak plain text.
        upstream: what Triton asks for.
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
    max_picture_bytes: int = 32 << 20
    model: str = "ocr"
    options: Mapping[str, OptionValue] = field(default_factory=lambda: dict(PADDLE_SERVING_OPTIONS))
    token: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    upstream: Upstream = field(default_factory=Upstream)


def longest_base64(max_picture_bytes: int) -> int:
    """The longest request that can carry an allowed picture as base64, in bytes."""
    return max_picture_bytes * 4 // 3 + MARGIN_BYTES


@dataclass(frozen=True)
class OpModels:
    """The Triton models that do the work of one Op of the old pipeline."""

    prep: tuple[str, ...]
    midp: tuple[str, ...]
    postp: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """All of them, in the order of the work."""
        return self.prep + self.midp + self.postp


# `recognize` crops, calls `rec`, and decodes: its own counters divide its time.
OCR_OPS: Mapping[str, OpModels] = {
    "det": OpModels(prep=("det_preprocess",), midp=("det",), postp=("det_postprocess",)),
    "rec": OpModels(prep=("recognize",), midp=("cls", "rec")),
}


@dataclass(frozen=True)
class TracerSettings:
    """The statistics block written every so many seconds.

    Attributes:
        interval_s: seconds between two blocks; below 1 there are none, as in config.yml.
        metrics_url: Triton's metrics ("http://127.0.0.1:8002/metrics"), where the lengths of its
            queues come from, and what in recognize's time is preprocessing and what is
            postprocessing; without it only the endpoints' own queue is written, and that time
            as a whole.
        ops: the models behind each Op; those that Triton does not have are left out.
    """

    interval_s: int = -1
    metrics_url: str | None = None
    ops: Mapping[str, OpModels] = field(default_factory=lambda: dict(OCR_OPS))
