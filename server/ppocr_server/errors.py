"""The errors of the server; each message is one readable line."""

from __future__ import annotations


class ServerError(RuntimeError):
    """The server could not be found, started or kept running; the message says what to do."""


class NotInstalledError(ServerError):
    """No usable tritonserver on this machine."""


class RepositoryError(ServerError):
    """The model repository cannot be served as it is."""


class PortInUseError(ServerError):
    """A requested port is taken by another process."""


class KilledError(ServerError):
    """A signal ended tritonserver while it started."""


class ModelLoadError(ServerError):
    """Triton refused one or more models.

    Attributes:
        reasons: reason by model name, root causes first.
    """

    def __init__(self, message: str, reasons: dict[str, str]) -> None:
        super().__init__(message)
        self.reasons = reasons
