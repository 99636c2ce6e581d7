"""Write the endpoints' log and the tracer's blocks into the files of Paddle Serving."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ppocr_server.paddle_serving import backend, service, tracer

MAX_BYTES = 512_000_000
LINE = "%(levelname)s %(asctime)s [%(name)s] %(message)s"
TRACER_LINE = "%(asctime)s %(message)s"


def write_logs(folder: Path | None) -> None:
    """Send the log to `folder`/pipeline.log and the tracer's blocks to `folder`/pipeline.tracer.

    Without a folder both go to standard error.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    _send(logging.getLogger(tracer.__name__), folder, "pipeline.tracer", 5, TRACER_LINE)
    for name in (service.__name__, backend.__name__, "uvicorn.error"):
        _send(logging.getLogger(name), folder, "pipeline.log", 20, LINE)


class FileUntilFull(RotatingFileHandler):
    """Rotates a file when it has `maxBytes`; its last line may exceed that.

    The standard check formats every line a second time to know its length in advance.
    """

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether the file is full."""
        return self.stream is not None and self.stream.tell() >= self.maxBytes


def _send(logger: logging.Logger, folder: Path | None, name: str, backups: int, line: str) -> None:
    handler = (
        logging.StreamHandler()
        if folder is None
        else FileUntilFull(
            folder / name, maxBytes=MAX_BYTES, backupCount=backups, encoding="utf-8", delay=True
        )
    )
    handler.setFormatter(logging.Formatter(line))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
