"""The options of the pipeline: defaults, ranges, and how a request may change them.

An option's value comes from the request's parameters, else from the `parameters` of the step's
config.pbtxt, else from the table below, whose defaults are those of PaddleOCR's own pipeline.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, both allowed."""

    default: float
    low: float
    high: float
    integer: bool = False

    def parse(self, value: Any) -> float:
        """The value as int or float; a ValueError says what is allowed."""
        number = float(value)  # ValueError for text that is no number
        if isinstance(value, bool) or not self.low <= number <= self.high:
            raise ValueError
        if not self.integer:
            return number
        if number != int(number):
            raise ValueError
        return int(number)

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        kind = "a whole number" if self.integer else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    default: str
    words: tuple[str, ...]

    def parse(self, value: Any) -> str:
        """The word; a ValueError for any other."""
        if value not in self.words:
            raise ValueError
        return str(value)

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return "one of " + ", ".join(self.words)


@dataclass(frozen=True)
class Switch:
    """On or off."""

    default: bool

    def parse(self, value: Any) -> bool:
        """True or False from a boolean, 0 or 1, or the word; a ValueError for anything else."""
        word = str(value).lower()
        if word not in ("true", "false", "1", "0"):
            raise ValueError
        return word in ("true", "1")

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return "true or false"


#: Whose arithmetic is reproduced: PaddleOCR's, that of Paddle Serving's OCR example, or that of
#: PaddleOCR's services in deploy/pdserving.
REFERENCES = ("paddleocr", "paddle_serving", "paddleocr_pdserving")

OPTIONS: dict[str, Number | Choice | Switch] = {
    # Input sizes, rounding of boxes, cropping, order, padding.
    "reference": Choice("paddleocr", REFERENCES),
    "det_limit_side_len": Number(960, 32, 4096, integer=True),
    "det_limit_type": Choice("auto", ("auto", "max", "min", "long")),
    "det_db_thresh": Number(0.3, 0, 1),
    "det_db_box_thresh": Number(0.6, 0, 1),
    "det_db_unclip_ratio": Number(1.5, 0.1, 10),
    "det_db_unclip_mode": Choice("area", ("area", "shape")),
    "det_split_gap": Number(0, 0, 100),
    "det_db_score_mode": Choice("fast", ("fast", "slow")),
    "use_dilation": Switch(False),
    "reading_order": Choice("page", ("page", "rows")),
    "orientation": Choice("lines", ("off", "lines", "page")),
    "use_angle_cls": Switch(False),
    "cls_thresh": Number(0.9, 0, 1),
    "rec_padding": Choice("crop", ("crop", "paddle")),
    "drop_score": Number(0.5, 0, 1),
    "return_words": Switch(False),
    # Also what the reference gets wrong, where a better answer is given otherwise.
    "reference_exact": Switch(False),
}


def option_name(spelling: str) -> str:
    """The name of an option that may be spelled as an HTTP header, such as `Det-Db-Thresh`.

    Proxies drop headers with an underscore, and some libraries change the case.
    """
    return spelling.lower().replace("-", "_")


def parse_options(values: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> dict:
    """All options: those in `values` parsed, the others from `base` or the table's defaults.

    A name may have any spelling that `option_name` takes.

    Raises:
        ValueError: a name that is not an option (the nearest one is named), or a value that is
            not allowed (both it and what is allowed are named).
    """
    parsed = {name: option.default for name, option in OPTIONS.items()} | dict(base or {})
    given: dict[str, str] = {}
    for spelling, value in values.items():
        name = option_name(spelling)
        if name not in OPTIONS:
            raise ValueError(f"unknown option {spelling!r}{_hint(name)}")
        if name in given:
            raise ValueError(f"{given[name]!r} and {spelling!r} are the same option; send one")
        given[name] = spelling
        option = OPTIONS[name]
        try:
            parsed[name] = option.parse(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} is {value!r}; allowed: {option.allowed}") from None
    return _with_one_question(parsed, given)


def _with_one_question(parsed: dict[str, Any], given: Container[str]) -> dict[str, Any]:
    """The options where a classifier is asked for a few lines or for every line, not for both.

    What is given stands above what is not.
    """
    if parsed["orientation"] != "lines" or not parsed["use_angle_cls"]:
        return parsed
    if "use_angle_cls" not in given:
        return parsed | {"use_angle_cls": False}
    if "orientation" not in given:
        return parsed | {"orientation": "off"}
    raise ValueError(
        "use_angle_cls is true, which asks the classifier for every line, and orientation is "
        "'lines', which asks it for a few; send one of them, or orientation=off or page"
    )


def default_options(parameters: Mapping[str, str]) -> dict:
    """All options as a step's config.pbtxt sets them; its other parameters are not looked at."""
    return parse_options({name: value for name, value in parameters.items() if name in OPTIONS})


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, OPTIONS, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(OPTIONS)}"
