"""What a request may cost: limits that are checked before the work that they limit.

Each has a name under which `parameters` of a step's config.pbtxt sets it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

SHOWN = 32  # characters of a name that is too long
# Lower ones would refuse what the steps themselves make: tiny pictures are padded to 32x32 pixels,
# lines to a width of 320, and the options have names of up to 19 characters.
LOWEST = {
    "max_image_pixels": 32 * 32,
    "max_image_side": 32,
    "max_det_pixels": 32 * 32,
    "max_rec_width": 320,
    "max_parameter_length": 32,
}

#: What the sender of a request can do about a limit that refused it.
ADVICE = {
    "max_image_bytes": "send a smaller file",
    "max_image_pixels": "send a smaller picture",
    "max_image_side": "scale it down, or send it in parts",
    "max_image_aspect": "send it in parts",
    "max_image_scans": "save it as a baseline JPEG",
    "max_det_pixels": "lower det_limit_side_len or use det_limit_type max",
    "max_lines": "send fewer boxes in each request",
    "max_crop_pixels": "send fewer or smaller boxes in each request",
    "max_rec_columns": "send the picture in parts",
    "max_parameters": "send fewer",
    "max_parameter_length": "send a shorter one",
}


@dataclass(frozen=True)
class Limits:
    """All limits; a step looks at those of its own work.

    Attributes:
        max_image_bytes: of an encoded picture.
        max_image_pixels: of a picture, width times height.
        max_image_side: the longer side of a picture, pixels; OpenCV's warp cannot address more.
        max_image_aspect: the longer side over the shorter one.
        max_image_scans: passes over the picture that a JPEG file asks for.
        max_det_pixels: of the detector's input, all tiles of a picture together.
        max_det_tiles: that a picture is read in; one that needs more is read without.
        max_lines: boxes of one picture.
        max_crop_pixels: of all crops of one picture together.
        max_rec_width: of a crop at the recogniser's height, pixels; a wider one is squeezed.
        max_rec_columns: widths of all padded crops of one picture together, pixels.
        max_parameters: of a request.
        max_parameter_length: characters of a parameter's name, and of its value.
    """

    max_image_bytes: int = 32 << 20
    max_image_pixels: int = 100_000_000
    max_image_side: int = 32_767
    max_image_aspect: int = 1_000
    max_image_scans: int = 64
    max_det_pixels: int = 4096 * 4096
    max_det_tiles: int = 8
    max_lines: int = 1_000
    max_crop_pixels: int = 200_000_000
    max_rec_width: int = 16_384
    max_rec_columns: int = 1_000_000
    max_parameters: int = 32
    max_parameter_length: int = 256

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> Limits:
        """The limits as `parameters` of config.pbtxt set them, the defaults for the others.

        Raises:
            ValueError: a value is not a whole number in range, or a name that begins with `max_`
                is no limit.
        """
        names = [field.name for field in fields(cls)]
        written = {name: text for name, text in parameters.items() if name.startswith("max_")}
        for name, text in written.items():
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1) or names
                raise ValueError(f"unknown limit {name!r}; did you mean {' or '.join(near)}?")
            lowest = LOWEST.get(name, 1)
            if not (text.isascii() and text.isdecimal() and int(text) >= lowest):
                raise ValueError(f"{name} is {text!r}; allowed: a whole number from {lowest}")
        return cls(**{name: int(text) for name, text in written.items()})


def size_beyond(
    height: int, width: int, limits: Limits, name: str = "IMAGE"
) -> tuple[str, str] | None:
    """Which limit the size of a picture is beyond, in a word, and the message; None within all.

    Args:
        height: pixels, at least 1.
        width: pixels, at least 1.
        limits: of a picture.
        name: of the tensor, for the message.
    """
    long, short = max(height, width), min(height, width)
    size = f"{name} is {width}x{height} (width x height)"
    for reason, got, what in (
        ("side", long, size),
        ("pixels", height * width, f"{size}, {height * width} pixels"),
        ("aspect", long / short, f"{size}, {long / short:.6g} to 1"),
    ):
        allowed = getattr(limits, f"max_image_{reason}")
        if got > allowed:
            return reason, exceeded(what, f"max_image_{reason}", allowed)
    return None


def check_parameters(values: Mapping[str, Any], limits: Limits) -> None:
    """Raise a ValueError when a request's parameters are too many or too long.

    Args:
        values: by name, as sent.
        limits: their number, and the length of each name and value.
    """
    if len(values) > limits.max_parameters:
        what = f"the request has {len(values)} parameters"
        raise ValueError(exceeded(what, "max_parameters", limits.max_parameters))
    for name, value in values.items():
        for kind, text in (("name", name), ("value", str(value))):
            if len(text) > limits.max_parameter_length:
                what = f"the {kind} of parameter {name[:SHOWN]!r} has {len(text)} characters"
                allowed = limits.max_parameter_length
                raise ValueError(exceeded(what, "max_parameter_length", allowed))


def exceeded(what: str, name: str, allowed: int) -> str:
    """The message for a request that is beyond a limit: what was got, the limit, what to do."""
    return f"{what}; allowed: {name} {allowed}; {ADVICE[name]}"
