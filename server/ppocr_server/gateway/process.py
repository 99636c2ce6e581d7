"""The gateway as a process beside `ppocr-serve`."""

from __future__ import annotations

import argparse
from typing import Any


def limits_of(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of `GatewaySettings` that `add_gateway_arguments` sets."""
    return {
        "max_body_bytes": options.max_body_mb << 20,
        "max_pages": options.max_pages,
        "cors": tuple(options.cors),
        "url_prefixes": tuple(options.allow_url_prefix),
    }
