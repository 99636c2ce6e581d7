"""Why a request was not answered: an HTTP status, a code for programs, and a reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from ppocr_client import errors

CLIENT_GONE = 499  # as nginx logs it; no client receives it
# The most special kinds first: exception, status, code, seconds after which to try again.
KINDS: tuple[tuple[type[Exception], int, str, int | None], ...] = (
    (errors.OptionError, 400, "invalid_option", None),
    (errors.ImageError, 400, "invalid_file", None),
    (errors.InvalidRequest, 400, "invalid_request", None),
    (errors.ServerBusy, 503, "busy", 1),
    (errors.ServerUnavailable, 503, "unavailable", 5),
    (errors.DeadlineExceeded, 504, "deadline_exceeded", None),
    (errors.RequestCancelled, CLIENT_GONE, "cancelled", None),
    (ClientDisconnect, CLIENT_GONE, "cancelled", None),
    (errors.MissingExtra, 501, "not_installed", None),
    # Triton refused this gateway, lacks the model, or failed.
    (errors.AccessDenied, 502, "upstream_denied", None),
    (errors.ModelNotFound, 502, "model_not_found", None),
    (errors.OcrError, 502, "upstream_failed", None),
)
OF_STATUS = {401: "unauthorized", 404: "not_found", 405: "method_not_allowed"}
#: What is said where no route answers; the router says "Not Found" and "Method Not Allowed".
UNROUTED = {
    "Not Found": "there is no {path}; files are read by POST /read; /docs lists all paths",
    "Method Not Allowed": "{method} {path} is not answered; allowed: {allow}; /docs lists all",
}
SEND_JSON = "send a JSON object, with the header Content-Type: application/json"
SHOWN = 200  # characters of a path


class Failure(HTTPException):
    """A request that is not answered with what it asked for.

    `code` says in one word, for programs, more than the status; `message` what was wrong, what is
    allowed, what to do; `retry_after` the seconds after which another try makes sense.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None
    ) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(status, message, headers)
        self.code, self.message, self.retry_after = code, message, retry_after

    def of(self, part: str, advice: str = "") -> Failure:
        """The same, said of a part of the request."""
        message = f"{part}: {self.message}{advice}"
        return Failure(self.status_code, self.code, message, retry_after=self.retry_after)


def failure_of(error: Exception, request: Request | None = None) -> Failure:
    """The failure that any exception of a request means; one that nobody foresaw is `internal`."""
    if isinstance(error, Failure):
        return error
    for kind, status, code, retry_after in KINDS:
        if isinstance(error, kind):
            return Failure(status, code, str(error), retry_after=retry_after)
    if isinstance(error, HTTPException):
        status = error.status_code
        code = OF_STATUS.get(status, "invalid_request" if status < 500 else "internal")
        headers, said = dict(error.headers or {}), str(error.detail)
        if request is not None and said in UNROUTED:
            said = UNROUTED[said].format(
                method=request.method,
                path=request.url.path[:SHOWN],
                allow=headers.get("Allow", "GET, HEAD"),  # files of the page are answered without
            )
        failure = Failure(status, code, said)
        failure.headers = {**(failure.headers or {}), **headers}
        return failure
    return Failure(500, "internal", "the gateway failed; its log says why")


def reason_of(found: Mapping[str, Any]) -> str:
    """Why pydantic refuses a part of a body, and what to send where it refuses the whole."""
    if found["type"] == "json_invalid":
        return f"the body is not JSON: {found['ctx']['error']} at character {found['loc'][1]}"
    return str(found["msg"]) + (f"; {SEND_JSON}" if found["loc"] == ("body",) else "")


def error_body(failure: Failure) -> dict[str, Any]:
    """The gateway's own form of an error."""
    return {"error": {"code": failure.code, "message": failure.message}}


def answer_failure(failure: Failure) -> JSONResponse:
    """The answer to a request that failed, in that form."""
    return JSONResponse(error_body(failure), failure.status_code, failure.headers)
