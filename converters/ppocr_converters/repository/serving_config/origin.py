"""Whose service a config.yml configured, and the defaults that follow from it.

Paddle Serving's OCR example and the services in PaddleOCR's `deploy/pdserving` take the same keys
and compute differently; only web_service.py and ocr_reader.py said which it was. The signs are from
PaddleOCR's repository (deploy/pdserving/config.yml, README.md, ocr_reader.py, web_service*.py) and
Paddle Serving's (examples/Pipeline/PaddleOCR/ocr).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.repository.serving_config.document import Document

SERVING, PDSERVING = "paddle_serving", "paddleocr_pdserving"
NAMES = {SERVING: "Paddle Serving's OCR example", PDSERVING: "PaddleOCR's deploy/pdserving"}
REFERENCE = "triton.reference"
PORTS = {
    ("http_port", 9999): SERVING,
    ("rpc_port", 18090): SERVING,
    ("http_port", 9998): PDSERVING,
    ("rpc_port", 18091): PDSERVING,
}
#: Names of model folders, as each README has them converted.
MODELS = {r"ppocr_(det|rec|cls)_.*": PDSERVING, r"ocr_(det|rec)_model": SERVING}
READER = "ocr_reader.py"
#: In a reader whose DetResizeForTest() fixes the longer side; others raise the shorter one to 736.
LONG_READER = "resize_short"
SIZES = ("triton.det_limit_type", "triton.det_limit_side_len")


def with_origin(
    document: Document, kinds: Mapping[Kind, Any]
) -> tuple[Document, dict[str, str], dict[str, str]]:
    """Settle whose arithmetic is reproduced, where the file leaves that open.

    `kinds` is what the Ops do.

    Returns:
        The configuration with the defaults of its service, and effects and warnings by key.
    """
    effects: dict[str, str] = {}
    warnings: dict[str, str] = {}
    reference = document[REFERENCE]
    if REFERENCE not in document.written:
        reference, sure, says = _judge(dict(_signs(document)))
        (effects if sure else warnings)[REFERENCE] = says
    values = {**document.values, REFERENCE: reference}
    if reference == PDSERVING:
        found = _defaults(document, kinds, warnings)
        values |= {path: one for path, one in found.items() if path not in document.written}
    return replace(document, values=values), effects, warnings


def _signs(document: Document) -> Iterator[tuple[str, str]]:
    """What the file and its folder show, the surest first, each with the service it speaks for."""
    if (document.folder / READER).is_file():
        yield f"{READER} beside the file", PDSERVING
    if "ppocr/utils" in (document["triton.rec_dictionary"] or ""):
        yield "a dictionary in ppocr/utils", PDSERVING
    for op in document.ops:
        config = document[f"op.{op}.local_service_conf.model_config"] or ""
        for pattern, service in MODELS.items():
            if any(re.fullmatch(pattern, part) for part in Path(config).parts):
                yield f"model_config {config}", service
    for (name, port), service in PORTS.items():
        if document[name] == port:
            yield f"{name} {port}", service


def _judge(signs: Mapping[str, str]) -> tuple[str, bool, str]:
    """The service that the surest sign speaks for, whether that is sure, and why."""
    if not signs:
        says = (
            f"the file may be of {NAMES[SERVING]} or of {NAMES[PDSERVING]}; {SERVING} is taken. "
            f"To be sure, write triton: reference: {SERVING}, or {PDSERVING}"
        )
        return SERVING, False, says
    chosen = next(iter(signs.values()))
    other = PDSERVING if chosen == SERVING else SERVING
    told = {s: ", ".join(sign for sign, one in signs.items() if one == s) for s in NAMES}
    why = f"the file looks like {NAMES[chosen]} ({told[chosen]})"
    if told[other]:
        why += f", though {told[other]} is as in {NAMES[other]}"
    elif chosen == SERVING:
        return chosen, True, f"{chosen}: {why}"
    why += f". If it was not, write triton: reference: {other}"
    return chosen, False, f"{chosen} is taken: {why}"


def _defaults(
    document: Document, kinds: Mapping[Kind, Any], warnings: dict[str, str]
) -> dict[str, Any]:
    """What PaddleOCR's services computed with; what to know about it is added to the warnings.

    web_service_det.py has a box threshold of its own, and web_service_rec.py drops no line.
    """
    found: dict[str, Any] = dict(zip(SIZES, ("min", 736), strict=True))
    found["triton.drop_score"] = 0.5 if "det" in kinds and "rec" in kinds else 0
    if "rec" not in kinds:
        found["triton.det_db_box_thresh"] = 0.5
    if "det" not in kinds or not document.written.isdisjoint(SIZES):
        return found
    try:
        reader = (document.folder / READER).read_text("utf-8", errors="replace")
    except OSError:
        reader = ""
    if LONG_READER in reader:
        found |= zip(SIZES, ("long", 960), strict=True)
    elif not reader:
        warnings[SIZES[0]] = (
            f"{NAMES[PDSERVING]} has sized pictures in two ways: look at DetResizeForTest in your "
            f"{READER}. Where it has {LONG_READER} (as with PP-OCRv3 and later), write triton: "
            "det_limit_type: long and det_limit_side_len: 960; otherwise leave min and 736"
        )
    return found
