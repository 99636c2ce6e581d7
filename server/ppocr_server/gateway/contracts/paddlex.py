"""PaddleX 3.7's basic serving of its OCR pipeline: requests and answers, translated.

Fields and their meaning are those of `paddlex/inference/serving/schemas/ocr.py` and of
`OCRResult.json` in `paddlex/inference/pipelines/ocr/result.py`, PaddleX 3.7.2.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from pydantic import BaseModel, Field

from ppocr_client import OcrResult, ServerInfo
from ppocr_client.options import ReadOptions
from ppocr_pipeline.options import OPTIONS
from ppocr_server.gateway.failures import Failure, reason_of

#: Names of options in PaddleX and here.
NAMES = {
    "textDetLimitSideLen": "det_limit_side_len",
    "textDetLimitType": "det_limit_type",
    "textDetThresh": "det_db_thresh",
    "textDetBoxThresh": "det_db_box_thresh",
    "textDetUnclipRatio": "det_db_unclip_ratio",
    "textRecScoreThresh": "drop_score",
    "useTextlineOrientation": "use_angle_cls",
    "returnWordBox": "return_words",
}
#: What of PaddleX is not served, and what to do.
NOT_SERVED = {
    "useDocUnwarping": "curved pages are not flattened",
    "useDocOrientationClassify": "turned pages are read without it, boxes in the picture as sent",
}
#: Longest sides of the pictures in an answer, and pixels per inch of a PDF file's pages.
MAX_PICTURE, DPI = (2000, 2000), 144


class PaddleXRequest(BaseModel):
    """A file and options; what is left out or null is as the server is set up."""

    file: str = Field(description="base64 text, or an address where the gateway allows it")
    fileType: Literal[0, 1] | None = Field(
        default=None, description="0 PDF, 1 picture; the file decides"
    )
    useDocOrientationClassify: bool | None = None
    useDocUnwarping: bool | None = None
    useTextlineOrientation: bool | None = None
    textDetLimitSideLen: int | None = None
    textDetLimitType: str | None = None
    textDetThresh: float | None = None
    textDetBoxThresh: float | None = None
    textDetUnclipRatio: float | None = None
    textRecScoreThresh: float | None = None
    returnWordBox: bool | None = None
    visualize: bool | None = Field(
        default=None, description="whether to return pictures; true by default"
    )
    logId: str | None = None


class PaddleXError(BaseModel):
    """A request that was not answered."""

    logId: str
    errorCode: int = Field(description="the HTTP status")
    errorMsg: str


class PaddleXFailure(Failure):
    """A failure in an exchange that has a `logId`."""

    def __init__(self, failure: Failure, log_id: str | None) -> None:
        # What is wrong with the file or an option is 422 in PaddleX.
        status = 422 if failure.status_code == 400 else failure.status_code
        message = failure.message
        for theirs, ours in NAMES.items():
            message = message.replace(ours, theirs)
        super().__init__(status, failure.code, message, retry_after=failure.retry_after)
        self.log_id = log_id


def options_of(request: PaddleXRequest, info: ServerInfo) -> ReadOptions:
    """The options of a request by the names of here.

    Raises:
        Failure: it asks for what is not served.
    """
    for name, reason in NOT_SERVED.items():
        if getattr(request, name):
            message = f"{name} is true; allowed: false or null: {reason}"
            raise Failure(422, "invalid_option", message)
    if request.useTextlineOrientation and "cls" not in info.models:
        raise Failure(
            422,
            "invalid_option",
            "useTextlineOrientation is true; the served repository has no classifier of lines: "
            "build it with one, or leave this out",
        )
    sent = {ours: getattr(request, theirs) for theirs, ours in NAMES.items()}
    if request.useTextlineOrientation is request.useDocOrientationClassify is False:
        sent["orientation"] = "off"
    return cast(ReadOptions, {name: value for name, value in sent.items() if value is not None})


def answer(log_id: str, pages: Sequence[dict[str, Any]], info: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request that was read.

    Args:
        log_id: of the request.
        pages: one for each page, see `page`.
        info: of the file, see `data_info`.
    """
    result = {"ocrResults": list(pages), "dataInfo": info}
    return {"logId": log_id, "result": result, "errorCode": 0, "errorMsg": "Success"}


def error_body(failure: Failure, log_id: str) -> dict[str, Any]:
    """An error in PaddleX's form."""
    return {"logId": log_id, "errorCode": failure.status_code, "errorMsg": failure.message}


def validation_message(errors: Sequence[Any]) -> str:
    """What is wrong with a body: a list in JSON as PaddleX writes it, whose messages say more."""
    return json.dumps(
        [{"type": e["type"], "loc": _location(e["loc"]), "msg": reason_of(e)} for e in errors]
    )


def data_info(results: Sequence[OcrResult], *, pdf: bool) -> dict[str, Any]:
    """Kind and sizes of a file's pages."""
    sizes = [dict(zip(("width", "height"), one.extent, strict=True)) for one in results]
    if len(sizes) == 1 and not pdf:
        return {**sizes[0], "type": "image"}
    return {"numPages": len(sizes), "pages": sizes, "type": "pdf" if pdf else "tiff"}


def page(
    result: OcrResult, options: ReadOptions, info: ServerInfo, pictures: dict[str, str]
) -> dict[str, Any]:
    """One of `ocrResults`.

    `dt_polys` are the boxes of the lines that are returned: those that were left out are not known.

    Args:
        result: of the page.
        options: that were sent.
        info: the server, whose defaults hold for the others.
        pictures: `inputImage` and `ocrImage` where they are wanted.
    """
    used: dict[str, Any] = {name: rule.default for name, rule in OPTIONS.items()}
    used |= {name: OPTIONS[name].parse(text) for name, text in info.defaults.items()}
    used |= cast(dict[str, Any], options)
    corners = [np.rint(line.box).astype(int).tolist() for line in result.lines]
    turned = "cls" in info.models and used["use_angle_cls"]
    pruned = {
        "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": turned},
        "dt_polys": corners,
        "text_det_params": {
            "limit_side_len": used["det_limit_side_len"],
            "limit_type": used["det_limit_type"],
            "thresh": used["det_db_thresh"],
            "box_thresh": used["det_db_box_thresh"],
            "unclip_ratio": used["det_db_unclip_ratio"],
        },
        "text_type": "general",
        "text_rec_score_thresh": used["drop_score"],
        "return_word_box": bool(used["return_words"]),
        "rec_texts": [line.text for line in result.lines],
        "rec_scores": [line.score for line in result.lines],
        "rec_polys": corners,
        "rec_boxes": [_sides(line.box) for line in result.lines],
    }
    if used["return_words"]:
        lines = result.lines
        pruned["text_word"] = [[word.text for word in line.words] for line in lines]
        pruned["text_word_boxes"] = [[_sides(word.box) for word in line.words] for line in lines]
    if not turned:  # PaddleX's mark; which lines were turned is not known
        pruned["textline_orientation_angles"] = [-1] * len(corners)
    return {"prunedResult": pruned, **pictures}


def pictures_of(picture: bytes, result: OcrResult) -> dict[str, str]:
    """The page and its result drawn, as base64 of JPEG files.

    Raises:
        DrawError: no font is found.
        ImageError: the picture cannot be decoded by Pillow.
    """
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(picture)) as file:
        page = ImageOps.exif_transpose(file).convert("RGB")
    return {"ocrImage": _jpeg(result.draw(picture)), "inputImage": _jpeg(page)}


def _sides(box: np.ndarray) -> list[int]:
    """Left, top, right and bottom of a box, in whole pixels."""
    sides: list[int] = np.rint([*box.min(axis=0), *box.max(axis=0)]).astype(int).tolist()
    return sides


def _jpeg(picture: Any) -> str:
    picture.thumbnail(MAX_PICTURE)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    return base64.b64encode(file.getvalue()).decode()


def _location(parts: Sequence[str | int]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.removeprefix(".")
