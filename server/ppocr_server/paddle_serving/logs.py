"""Write the endpoints' log into the file of Paddle Serving."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ppocr_server.paddle_serving import backend, service

MAX_BYTES, BACKUPS = 512_000_000, 20
LINE = "%(levelname)s %(asctime)s [%(name)s] %(message)s"


def write_logs(folder: Path | None) -> None:
    """Send the log to `folder`/pipeline.log, without a folder to standard error."""
    handler: logging.Handler = logging.StreamHandler()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "pipeline.log"
        handler = RotatingFileHandler(file, "a", MAX_BYTES, BACKUPS, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(LINE))
    for name in (service.__name__, backend.__name__, "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
