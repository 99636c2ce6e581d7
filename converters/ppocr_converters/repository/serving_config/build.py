"""Build the repository of a config.yml."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ppocr_converters.repository.build import BuildRequest, Built, build
from ppocr_converters.repository.serving_config.document import read_document
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.service import Service, plan_service

logger = logging.getLogger(__name__)


def load_service(path: Path, overrides: Sequence[str] = ()) -> Service:
    """Read a config.yml and work out what it becomes.

    Raises:
        ConfigError: it says something that is not allowed; file, key and value are named.
    """
    document = read_document(path, overrides)
    try:
        return plan_service(document, str(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def build_service(service: Service, work: Path, **more: Any) -> Built:
    """Build exactly what a configuration says; its warnings go to the log.

    Args:
        service: the configuration.
        work: where fetched and converted models are kept.
        more: fields of `BuildRequest` that no configuration decides.

    Raises:
        ConvertError: it asks for what cannot be built, or a step failed; `out` is as it was.
    """
    for path, text in service.warnings.items():
        logger.warning("%s: %s: %s", service.plan.name, path, text)
    precisions = service.precisions
    return build(
        BuildRequest(work, [service.networks], service.plan, precisions=precisions, **more)
    )
