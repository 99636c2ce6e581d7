"""The settings of the gateway."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from typing import Any

from ppocr_server.access import Tls
from ppocr_server.paddle_serving.settings import EndpointSettings, Upstream


@dataclass(frozen=True)
class GatewaySettings:
    """One gateway in front of one Triton, whose gRPC endpoint `url` is."""

    url: str = "grpc://127.0.0.1:8001"
    host: str = "127.0.0.1"  # it listens there; the web page is opened by it, or by any IP address
    model: str = "ocr"  # Triton's name of the pipeline
    max_body_bytes: int = 256 << 20  # a longer body is refused before it is read
    max_pages: int = 1000  # of one request
    url_prefixes: tuple[str, ...] = ()  # addresses below which files may be fetched
    cors: tuple[str, ...] = ()  # origins of web pages that may ask
    grace: float = 30.0  # seconds to finish the requests in progress at the end
    token: str | None = field(default=None, repr=False)  # that clients must send
    tls: Tls | None = None  # None for plain text
    upstream: Upstream = field(default_factory=Upstream)  # what Triton asks for
    #: Paddle Serving's service on this port too, by the token and the way to Triton of the gateway.
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
