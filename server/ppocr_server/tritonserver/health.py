"""Ask a running tritonserver for its state over HTTP.

`python -m ppocr_server.tritonserver.health HOST:PORT` is a health check for containers: it ends
with 0 if every model is ready.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class ModelState:
    """One model of Triton's repository index; `reason` is empty when nothing is wrong."""

    name: str
    state: str
    reason: str


def is_ready(url: str) -> bool:
    """Whether the server answers and every model is loaded."""
    return answers(url, "/v2/health/ready")


def answers(url: str, path: str) -> bool:
    """Whether this path is answered with status 200."""
    answer = _request(url, "GET", path)
    return answer is not None and answer[0] == 200


def server_version(url: str, headers: Mapping[str, str]) -> str:
    """Triton's own version ("2.51.0"), empty when the server does not answer."""
    answer = _request(url, "GET", "/v2", headers)
    return str(json.loads(answer[1])["version"]) if answer and answer[0] == 200 else ""


def model_index(url: str, headers: Mapping[str, str]) -> list[ModelState] | None:
    """Every model that Triton knows, or None while the endpoint does not answer.

    Args:
        url: "host:port".
        headers: `Security.headers`.
    """
    answer = _request(url, "POST", "/v2/repository/index", headers)
    if answer is None or answer[0] != 200:
        return None
    rows: list[dict[str, Any]] = json.loads(answer[1])
    return [
        ModelState(row["name"], row.get("state", "UNAVAILABLE"), row.get("reason", ""))
        for row in rows
    ]


def _request(
    url: str, method: str, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes] | None:
    """(status, body), or None when nobody answers."""
    connection = http.client.HTTPConnection(url, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not is_ready(sys.argv[1]))
