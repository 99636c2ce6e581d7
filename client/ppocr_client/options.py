"""The options of a request, checked before it is sent.

The server has defaults for all of them; only those that are given are sent, as request parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from ppocr_client.errors import OptionError
from ppocr_pipeline.options import OPTIONS as RULES
from ppocr_pipeline.options import Choice, Number, Switch, option_name, parse_options

Value = str | int | bool


class ReadOptions(TypedDict, total=False):
    """The keyword arguments of `OcrClient.read`; names and meanings are PaddleOCR's."""

    det_limit_side_len: int
    det_limit_type: Literal["auto", "max", "min", "long"]
    det_db_thresh: float
    det_db_box_thresh: float
    det_db_unclip_ratio: float
    det_db_unclip_mode: Literal["area", "shape"]
    det_split_gap: float
    det_db_score_mode: Literal["fast", "slow"]
    use_dilation: bool
    orientation: Literal["off", "lines", "page"]
    use_angle_cls: bool
    cls_thresh: float
    drop_score: float
    reading_order: Literal["page", "rows"]
    return_words: bool
    rec_padding: Literal["crop", "paddle"]
    reference: Literal["paddleocr", "paddle_serving", "paddleocr_pdserving"]
    reference_exact: bool


HELP = {
    "det_limit_side_len": "side length to which the picture is scaled before detection",
    "det_limit_type": "limit the longer side (max), unless small letters or a strip need more "
    "(auto); enlarge the shorter (min), or fix the longer (long)",
    "det_db_thresh": "probability from which a pixel counts as text",
    "det_db_box_thresh": "mean probability from which a box is kept",
    "det_db_unclip_ratio": "how much boxes are expanded",
    "det_db_unclip_mode": "expand boxes as PaddleOCR does (area), or by as much as the "
    "detector was trained to shrink them (shape)",
    "det_split_gap": "part a box where nothing stands in it for so many times its height; 0: never",
    "det_db_score_mode": "box score over its rectangle (fast) or its outline (slow)",
    "use_dilation": "thicken the detected regions before boxes are made",
    "orientation": "find out by how much the page is turned: not at all (off), from a few of its "
    "lines (lines) or by a network of its own (page)",
    "use_angle_cls": "ask the direction classifier for every line, as PaddleOCR does",
    "cls_thresh": "probability above which an upside-down line is turned",
    "drop_score": "score below which a line is left out",
    "reading_order": "as a person reads (page) or by rows of pixels as the reference (rows)",
    "return_words": "words of each line with their boxes, of Chinese and Japanese its characters",
    "rec_padding": "pad each line by itself (crop) or in PaddleOCR's groups (paddle)",
    "reference": "whose results to reproduce: PaddleOCR's, those of Paddle Serving's OCR example, "
    "or those of PaddleOCR's deploy/pdserving",
    "reference_exact": "reproduce the reference's faults too: order of corners, lost transparency",
}


@dataclass(frozen=True)
class Option:
    """An option's meaning, and the pipeline's rule for its values."""

    help: str
    rule: Number | Choice | Switch

    @property
    def type(self) -> type[int] | type[float] | type[bool] | type[str]:
        """The Python type of its values."""
        if isinstance(self.rule, Number):
            return int if self.rule.integer else float
        return bool if isinstance(self.rule, Switch) else str


OPTIONS = {name: Option(text, RULES[name]) for name, text in HELP.items()}


def request_parameters(options: Mapping[str, object]) -> dict[str, Value]:
    """The options as parameters of a Triton request, without those that are None.

    Floats become text: older servers have no float parameters, and the pipeline parses text.

    Raises:
        OptionError: If a name is unknown (the nearest is named) or a value is not allowed.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        parsed = parse_options(given)
    except ValueError as error:
        raise OptionError(str(error)) from None
    return {
        name: repr(parsed[name]) if isinstance(parsed[name], float) else parsed[name]
        for name in map(option_name, given)
    }


def given_options(values: Mapping[str, Any]) -> ReadOptions:
    """Those of a command line's values that are options and are set."""
    chosen = {name: values[name] for name in OPTIONS if values.get(name) is not None}
    return cast("ReadOptions", chosen)
