"""Errors by meaning, and the server's status codes as these errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager


class OcrError(Exception):
    """A request that failed.

    Attributes:
        reason: What was wrong, in the server's own words if it gave a reason.
        status: The gRPC status name, such as "INVALID_ARGUMENT"; None if nothing was sent.
    """

    def __init__(self, reason: str, status: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class InvalidRequest(OcrError):
    """The request cannot be answered as it is; do not send it again."""


class ImageError(InvalidRequest):
    """The picture cannot be read: missing, empty, damaged, not a picture, or too large."""


class OptionError(InvalidRequest, ValueError):
    """An option is unknown or out of its range; nothing was sent."""


class ModelNotFound(OcrError):
    """The server does not have the model, or not that version."""


class AccessDenied(OcrError):
    """The server demands other credentials."""


class ServerUnavailable(OcrError):
    """No server answers at the address, or it is not ready; try again later."""


class ServerBusy(OcrError):
    """The server's queue is full; try again later."""


class DeadlineExceeded(OcrError):
    """No answer came in time."""


class RequestCancelled(OcrError):
    """The request was cancelled before it was answered."""


class ServerError(OcrError):
    """The server failed; its log says more."""


class MissingExtra(RuntimeError):
    """A package is missing that the base installation does not include.

    Attributes:
        extra: The extra of ppocr-triton that includes it.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f'{what} need {package}: pip install "ppocr-triton[{extra}]"')
        self.extra = extra


@contextmanager
def needs(what: str, package: str, extra: str) -> Iterator[None]:
    """Around the import of a package: a MissingExtra if it is not installed."""
    try:
        yield
    except ImportError:
        raise MissingExtra(what, package, extra) from None


BY_STATUS: dict[str, type[OcrError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "OUT_OF_RANGE": InvalidRequest,
    "UNIMPLEMENTED": InvalidRequest,
    "NOT_FOUND": ModelNotFound,
    "UNAUTHENTICATED": AccessDenied,
    "PERMISSION_DENIED": AccessDenied,
    "UNAVAILABLE": ServerUnavailable,
    "RESOURCE_EXHAUSTED": ServerBusy,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": RequestCancelled,
}

# Triton's HTTP statuses (and those of a proxy before it) as the gRPC status of the same meaning.
STATUS_OF_HTTP: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

# Triton puts the ensemble's name before the reason of a step, and the transport its address before
# both; users know no ensembles.
ENSEMBLE = re.compile(r"(?:^|(?<=: ))(in ensemble '[^']*', )+(\[request id: [^\]]*\] )?")
# How the pipeline's reasons about a picture begin.
_ABOUT_THE_IMAGE = re.compile(r"IMAGE\b")
FULL = "Exceeds maximum queue size"
# What Triton's and gRPC's own words say beyond the status.
SAID: tuple[tuple[str, str, type[OcrError]], ...] = (
    ("RESOURCE_EXHAUSTED", "message larger than max", InvalidRequest),  # waiting does not help
    ("UNAVAILABLE", "is restricted, expecting header", AccessDenied),  # a key or token is missing
    ("UNAVAILABLE", FULL, ServerBusy),
    ("UNAVAILABLE", "Request timeout expired", DeadlineExceeded),  # its own, in the queue
    ("NOT_FOUND", "has no available versions", ServerUnavailable),  # unloaded, or being reloaded
)
# Why a connection failed, and how gRPC and Python's sockets say so.
_CONNECTION_REASONS = {
    "connection refused": re.compile("refused|connect call failed", re.IGNORECASE),
    "the host name cannot be resolved": re.compile(
        "resolving|DNS resolution failed|name resolution|Name or service not known", re.IGNORECASE
    ),
}
# What does not speak the protocol of an address, as gRPC and http.client say.
_OTHER_PROTOCOL = re.compile("BadStatusLine|Socket closed|Failed parsing HTTP/2")


def error_of_status(status: str, reason: str) -> OcrError:
    """The error for a gRPC status name and the server's reason."""
    reason = ENSEMBLE.sub("", reason)
    kind = BY_STATUS.get(status, ServerError)
    for of, words, other in SAID:
        if status == of and words.lower() in reason.lower():
            kind = other
    if kind is InvalidRequest and _ABOUT_THE_IMAGE.match(reason):
        kind = ImageError
    more = ": as many requests as max_requests lets in" if FULL in reason else ""
    return kind(reason + more, status)


def error_of_http(code: int, reason: str) -> OcrError:
    """The error for an HTTP status code and the server's reason."""
    return error_of_status(STATUS_OF_HTTP.get(code, "INTERNAL"), reason)


def connection_error(address: str, detail: str) -> ServerUnavailable:
    """The error for a connection that failed, given the transport's own words for it."""
    known = (reason for reason, words in _CONNECTION_REASONS.items() if words.search(detail))
    if _OTHER_PROTOCOL.search(detail):
        return ServerUnavailable(
            f"cannot connect to {address}: what answers there speaks another protocol. Triton has "
            "HTTP at port 8000 and gRPC at port 8001 unless told otherwise",
            "UNAVAILABLE",
        )
    return ServerUnavailable(
        f"cannot connect to {address}: {next(known, detail)}; is the server running there? "
        f"Start one with `ppocr-serve`, or try `ppocr-client doctor --url {address} --wait 60`",
        "UNAVAILABLE",
    )
