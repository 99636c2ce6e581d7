"""Build the repository of a config.yml."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.paddle.convert import OPSET
from ppocr_converters.repository.build import Built, build
from ppocr_converters.repository.deployment_plan import refuse_unavailable
from ppocr_converters.repository.model_build import Origin, find_origin
from ppocr_converters.repository.serving_config.document import Document, read_document
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.service import Service, plan_service

logger = logging.getLogger(__name__)


def load_service(path: Path) -> tuple[Document, Service]:
    """Read a config.yml and work out what it becomes.

    Raises:
        ConfigError: it says something that is not allowed; file, key and value are named.
    """
    document = read_document(path)
    try:
        return document, plan_service(document, str(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def build_service(
    service: Service,
    work: Path,
    out: Path | None = None,
    *,
    source: Path | None = None,
    opset: int = OPSET,
    pictures: Sequence[Path] = (),
) -> Built:
    """Build exactly what a configuration says; its warnings go to the log.

    Args:
        service: the configuration.
        work: where fetched and converted models are kept.
        out: the folder to serve, `<work>/model_repository` by default.
        source: see `repository.build`, as the others.
        opset: as above.
        pictures: as above.

    Raises:
        ConvertError: it asks for what cannot be built, or a step failed; `out` is as it was.
    """
    for path, text in service.warnings.items():
        logger.warning("%s: %s: %s", service.plan.name, path, text)
    refuse_unavailable(service.plan)
    return build(
        out or work / "model_repository",
        work / "onnx",
        _origin(service, "det", work / "models"),
        _origin(service, "rec", work / "models"),
        service.plan,
        cls=_origin(service, "cls", work / "models") if "cls" in service.networks else None,
        precisions=service.precisions,
        source=source,
        opset=opset,
        pictures=pictures,
    )


def _origin(service: Service, kind: Kind, models: Path) -> Origin:
    network = service.networks[kind]
    return find_origin(
        network.model,
        models,
        kind=kind,
        dictionary=network.dictionary,
        space=network.space,
        height=network.height,
    )
