"""Ask a running tritonserver for its state over HTTP.

`python -m ppocr_server.tritonserver.health HOST:PORT` is a health check for containers: it ends
with 0 if every model is ready.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping

TIMEOUT_SECONDS = 5.0
READY = "/v2/health/ready"


def answers(url: str, path: str) -> bool:
    """Whether this path of "host:port" is answered with status 200."""
    return _answer(url, "GET", path, {}) is not None


def server_version(url: str, headers: Mapping[str, str]) -> str:
    """Triton's own version ("2.51.0"), empty when the server does not answer."""
    answer = _answer(url, "GET", "/v2", headers)
    return "" if answer is None else str(json.loads(answer)["version"])


def model_index(url: str, headers: Mapping[str, str]) -> list[dict[str, str]] | None:
    """`name`, `state` and `reason` of every model that Triton knows, the last two if there are any.

    None while the endpoint does not answer.
    """
    answer = _answer(url, "POST", "/v2/repository/index", headers)
    return None if answer is None else list(json.loads(answer))


def _answer(url: str, method: str, path: str, headers: Mapping[str, str]) -> bytes | None:
    """The body of an answer with status 200, None for others and when nobody answers."""
    connection = http.client.HTTPConnection(url, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        return body if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1], READY))
