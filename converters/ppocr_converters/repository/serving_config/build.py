"""Build the repository of a config.yml."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from ppocr_converters.catalogue.fetch import Supply
from ppocr_converters.paddle.convert import OPSET
from ppocr_converters.repository.build import BuildRequest, Built, build
from ppocr_converters.repository.build_checks import check_plan, check_target
from ppocr_converters.repository.model_source import find_model_source
from ppocr_converters.repository.serving_config.document import Document, read_document
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.service import Service, plan_service
from ppocr_converters.repository.source import find_steps

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
    replace_steps: bool = False,
    opset: int = OPSET,
    pictures: Sequence[Path] = (),
    supply: Supply | None = None,
) -> Built:
    """Build exactly what a configuration says; its warnings go to the log.

    Args:
        service: the configuration.
        work: where fetched and converted models are kept.
        out: the folder to serve, `<work>/model_repository` by default.
        source: see `BuildRequest`, as the others.
        replace_steps: as above.
        opset: as above.
        pictures: as above.
        supply: where models of the catalogue are fetched from.

    Raises:
        ConvertError: it asks for what cannot be built, or a step failed; `out` is as it was.
    """
    for path, text in service.warnings.items():
        logger.warning("%s: %s: %s", service.plan.name, path, text)
    out = out or work / "model_repository"
    check_plan(service.plan, service.precisions)
    check_target(out, find_steps(source), replace_steps=replace_steps)
    return build(
        BuildRequest(
            out=out,
            work=work / "onnx",
            models={
                name: find_model_source(
                    network.model,
                    work / "models",
                    kind=name,
                    dictionary=network.dictionary,
                    space=network.space,
                    height=network.height,
                    supply=supply,
                )
                for name, network in service.networks.items()
            },
            plan=service.plan,
            precisions=service.precisions,
            source=source,
            replace_steps=replace_steps,
            opset=opset,
            pictures=pictures,
        )
    )
