"""What can go wrong, by meaning, and how the server's codes become these errors.

OcrError
├── InvalidRequest        the request cannot be answered as it is; sending it again is no use
│   ├── ImageError        the picture cannot be read
│   └── OptionError       an option is unknown or out of its range (found before sending)
├── ModelNotFound         the server does not have the model, or not that version
├── AccessDenied          the server wants other credentials
├── ServerUnavailable     nobody answers, or the server is not ready; try again later
├── ServerBusy            the server's queue is full; try again later
├── DeadlineExceeded      no answer in time
├── RequestCancelled      given up before the answer came
└── ServerError           the server failed; its log says more
"""

from __future__ import annotations

import re


class OcrError(Exception):
    """A request that failed.

    Attributes:
        reason: What was wrong, in the server's own words if it said something.
        status: The gRPC status name, such as "INVALID_ARGUMENT"; None if nothing was sent.
    """

    def __init__(self, reason: str, status: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class InvalidRequest(OcrError):
    """The request cannot be answered as it is."""


class ImageError(InvalidRequest):
    """The picture cannot be read: missing, empty, damaged, no picture at all, or too large."""


class OptionError(InvalidRequest, ValueError):
    """An option is unknown or out of its range."""


class ModelNotFound(OcrError):
    """The server does not have the model."""


class AccessDenied(OcrError):
    """The server wants other credentials."""


class ServerUnavailable(OcrError):
    """Nobody answers at the address, or the server is not ready."""


class ServerBusy(OcrError):
    """The server has no room for the request now."""


class DeadlineExceeded(OcrError):
    """No answer came in time."""


class RequestCancelled(OcrError):
    """The request was given up before the answer came."""


class ServerError(OcrError):
    """The server failed."""


class MissingExtra(RuntimeError):
    """Something needs a package that the base install does not bring.

    Attributes:
        extra: Which extra of ppocr-triton brings it.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f'{what} need {package}: pip install "ppocr-triton[{extra}]"')
        self.extra = extra


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

# The pipeline's reasons about a picture begin like this, after the ensemble's own words.
_ABOUT_THE_IMAGE = re.compile(r"(in ensemble '[^']*', )?IMAGE\b")
_TOO_LARGE = re.compile(r"message larger than max", re.IGNORECASE)
# What Triton says by gRPC, as UNAVAILABLE, where a key or a token is missing.
_RESTRICTED = re.compile(r"is restricted, expecting header")
# What Triton says, as UNAVAILABLE, where as many requests wait as may.
_FULL = re.compile(r"Exceeds maximum queue size")
# What Triton says, as NOT_FOUND, of a model that it unloads while it stops or loads anew.
_UNLOADED = re.compile(r"has no available versions")


def error_of_status(status: str, reason: str) -> OcrError:
    """The error for a gRPC status name and the server's reason."""
    if status == "RESOURCE_EXHAUSTED" and _TOO_LARGE.search(reason):
        # Not a matter of waiting: the message will never fit.
        return InvalidRequest(reason, status)
    if status == "UNAVAILABLE" and _RESTRICTED.search(reason):
        return AccessDenied(reason, status)
    if status == "UNAVAILABLE" and _FULL.search(reason):
        return ServerBusy(f"{reason}: as many requests as max_requests lets in", status)
    if status == "NOT_FOUND" and _UNLOADED.search(reason):
        return ServerUnavailable(reason, status)
    kind = BY_STATUS.get(status, ServerError)
    if kind is InvalidRequest and _ABOUT_THE_IMAGE.match(reason):
        kind = ImageError
    return kind(reason, status)


def error_of_http(code: int, reason: str) -> OcrError:
    """The error for an HTTP status code and the server's reason."""
    return error_of_status(STATUS_OF_HTTP.get(code, "INTERNAL"), reason)
