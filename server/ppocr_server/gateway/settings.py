"""The settings of the gateway."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from typing import Any

from ppocr_server.access import Tls
from ppocr_server.paddle_serving.settings import EndpointSettings
from ppocr_server.paddle_serving.upstream import Upstream


@dataclass(frozen=True)
class GatewaySettings:
    """One gateway in front of one Triton.

    Attributes:
        url: of Triton's gRPC endpoint, `grpc://host:port` or `grpcs://host:port`.
        host: the address that it listens on; the web page is opened by it, or by any IP address.
        model: Triton's name of the pipeline.
        max_body_bytes: longest body of a request; a longer one is refused before it is read.
        max_pages: most pages of one request.
        concurrency: pages of one request that are at Triton at a time.
        page_seconds: from sending a page to Triton to its answer.
        dpi: pixels per inch for the pages of PDF files, unless a request says otherwise.
        url_prefixes: addresses below which files may be fetched for a request; none by default.
        cors: origins of web pages that may ask; none by default.
        grace: seconds to finish the requests in progress at the end.
        token: that clients must send; None for none.
        tls: certificates; None for plain text.
        upstream: what Triton asks for.
        old: Paddle Serving's service on this port too; the token and the way to Triton are the
            gateway's.
    """

    url: str = "grpc://127.0.0.1:8001"
    host: str = "127.0.0.1"
    model: str = "ocr"
    max_body_bytes: int = 256 << 20
    max_pages: int = 1000
    concurrency: int = 4
    page_seconds: float = 60.0
    dpi: float = 200.0
    url_prefixes: tuple[str, ...] = ()
    cors: tuple[str, ...] = ()
    grace: float = 30.0
    token: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    upstream: Upstream = field(default_factory=Upstream)
    old: EndpointSettings = field(default_factory=EndpointSettings)

    def __post_init__(self) -> None:
        old = replace(self.old, token=self.token, upstream=self.upstream)
        object.__setattr__(self, "old", old)


def settings_of(options: argparse.Namespace, **others: Any) -> GatewaySettings:
    """The settings with the limits of a command line, see `add_gateway_arguments`."""
    return GatewaySettings(
        max_body_bytes=options.max_body_mb << 20,
        max_pages=options.max_pages,
        cors=tuple(options.cors),
        url_prefixes=tuple(options.allow_url_prefix),
        grace=options.grace,
        **others,
    )
