"""Configurations to start from, and what they become."""

from pathlib import Path
from typing import Any

import yaml
from work_folders import DET, REC

from ppocr_converters.repository.serving_config.document import Document, parse_document
from ppocr_converters.repository.serving_config.service import Service, plan_service

HERE = Path(__file__).parent
#: The old OCR example's configuration, written out again.
EXAMPLE = HERE / "paddle_serving_example.yml"
#: The models that an Op becomes.
DET_OP, REC_OP = ("det_preprocess", "det", "det_postprocess"), ("recognize", "rec")


def small(**changes: Any) -> dict[str, Any]:
    """The smallest OCR configuration, with values set by path ("op__det__concurrency")."""
    data: dict[str, Any] = {
        "http_port": 9999,
        "op": {
            "det": {"local_service_conf": {"model_config": DET}},
            "rec": {"local_service_conf": {"model_config": REC}},
        },
    }
    for path, value in changes.items():
        put(data, path.replace("__", "."), value)
    return data


def put(data: dict[str, Any], path: str, value: Any) -> None:
    """Set one value by its path."""
    *sections, name = path.split(".")
    for section in sections:
        data = data.setdefault(section, {})
    data[name] = value


def document(data: dict[str, Any], folder: Path = HERE) -> Document:
    """A configuration as if it had been read from a file."""
    return parse_document(yaml.safe_dump(data), folder)


def service(**changes: Any) -> Service:
    """What the smallest configuration becomes with some values changed."""
    return plan_service(document(small(**changes)))
