"""The options of a request, checked before it is sent.

The server has defaults for all of them; only those that are given are sent, as request parameters.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

import numpy as np

from ppocr_client.errors import OptionError

Value = str | int | bool


class ReadOptions(TypedDict, total=False):
    """The keyword arguments of `OcrClient.read`; names and meanings are PaddleOCR's."""

    det_limit_side_len: int
    det_limit_type: Literal["max", "min"]
    det_db_thresh: float
    det_db_box_thresh: float
    det_db_unclip_ratio: float
    det_db_score_mode: Literal["fast", "slow"]
    use_dilation: bool
    use_angle_cls: bool
    cls_thresh: float
    drop_score: float
    rec_padding: Literal["crop", "paddle"]
    reference: Literal["paddleocr", "paddle_serving"]


@dataclass(frozen=True)
class Option:
    """An option's meaning and its allowed values.

    `type` is int or float (from `low` to `high`, both allowed), bool, or str (one of `words`).
    """

    help: str
    type: type[int] | type[float] | type[bool] | type[str]
    low: float = 0
    high: float = 1
    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.type is str:
            return "one of " + ", ".join(self.words)
        if self.type is bool:
            return "True or False"
        kind = "a whole number" if self.type is int else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}"

    def encode(self, value: object) -> Value | None:
        """The value as a request parameter, or None if it is not allowed; text is not a number.

        Floats become text: older servers have no float parameters, and the pipeline parses text.
        """
        if self.type is str:
            return str(value) if value in self.words else None
        if self.type is bool or isinstance(value, bool):
            return value if self.type is bool and isinstance(value, bool) else None
        if not isinstance(value, int | float | np.integer | np.floating):
            return None
        if not self.low <= float(value) <= self.high:
            return None
        if self.type is float:
            return repr(float(value))
        return int(value) if isinstance(value, int | np.integer) else None


OPTIONS: dict[str, Option] = {
    "det_limit_side_len": Option(
        "side length the picture is brought to before detection", int, 32, 4096
    ),
    "det_limit_type": Option(
        "whether the longer side is limited (max) or the shorter one enlarged (min)",
        str,
        words=("max", "min"),
    ),
    "det_db_thresh": Option("probability from which a pixel counts as text", float),
    "det_db_box_thresh": Option("mean probability from which a box is kept", float),
    "det_db_unclip_ratio": Option("how much boxes are widened", float, 0.1, 10),
    "det_db_score_mode": Option(
        "box score over its rectangle (fast) or its outline (slow)", str, words=("fast", "slow")
    ),
    "use_dilation": Option("thicken the detected regions before boxes are made", bool),
    "use_angle_cls": Option(
        "turn lines that are upside down; needs a repository built with a direction classifier",
        bool,
    ),
    "cls_thresh": Option("probability above which an upside-down line is turned", float),
    "drop_score": Option("score below which a line is left out", float),
    "rec_padding": Option(
        "pad each line by itself (crop) or in PaddleOCR's groups (paddle)",
        str,
        words=("crop", "paddle"),
    ),
    "reference": Option(
        "whose reading to reproduce: PaddleOCR's own pipeline or Paddle Serving's OCR example",
        str,
        words=("paddleocr", "paddle_serving"),
    ),
}


def request_parameters(options: Mapping[str, object]) -> dict[str, Value]:
    """The options as parameters of a Triton request, without those that are None.

    Raises:
        OptionError: If a name is unknown (the nearest is named) or a value is not allowed.
    """
    parameters: dict[str, Value] = {}
    for name, value in options.items():
        if name not in OPTIONS:
            raise OptionError(f"unknown option {name!r}{_hint(name)}")
        if value is None:
            continue
        encoded = OPTIONS[name].encode(value)
        if encoded is None:
            raise OptionError(f"{name} is {value!r}; allowed: {OPTIONS[name].allowed}")
        parameters[name] = encoded
    return parameters


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, OPTIONS, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(OPTIONS)}"


def given_options(values: Mapping[str, Any]) -> ReadOptions:
    """Those of a command line's values that are options and are set."""
    chosen = {name: values[name] for name in OPTIONS if values.get(name) is not None}
    return cast("ReadOptions", chosen)
