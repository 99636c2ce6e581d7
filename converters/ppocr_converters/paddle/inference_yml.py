"""`inference.yml`: what PaddleX writes beside a model about how it is fed and understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ppocr_converters.catalogue.entries import Kind, Normalisation
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.kinds import ANGLES

SETTINGS = "inference.yml"
#: The names of a detector's thresholds in the file, and as they are set in a repository.
THRESHOLDS = {
    "thresh": "det_db_thresh",
    "box_thresh": "det_db_box_thresh",
    "unclip_ratio": "det_db_unclip_ratio",
}

#: Which kind of model each way of understanding its answers is of.
KINDS: dict[str, Kind] = {"DBPostProcess": "det", "CTCLabelDecode": "rec", "Topk": "cls"}

#: Everything as it is written: characters such as 0, ~ and "no" must stay what they are.
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True)
class OwnSettings:
    """What a model's own files say; empty where they are silent.

    Attributes:
        kind: of the model that they are of, where they say it.
        name: of its network, as the catalogue has it, where they say it.
        characters: of a recogniser, in class order, without blank and space.
        height: of the input of a recogniser or classifier, pixels.
        normalisation: for channels in the order blue, green, red.
        thresholds: of a detector, by the names they have in a repository.
    """

    kind: Kind | None = None
    name: str = ""
    characters: tuple[str, ...] = ()
    height: int | None = None
    normalisation: Normalisation | None = None
    thresholds: Mapping[str, float | str] = field(default_factory=dict)


def read_settings(folder: Path) -> OwnSettings:
    """Read the settings in a model's folder; none where there is no such file.

    Raises:
        ModelError: the file is not of the form that PaddleX writes.
    """
    path = folder / SETTINGS
    if not path.is_file():
        return OwnSettings()
    try:
        return _settings(LOADER(path.read_text("utf-8")).get_single_data())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"{path} is not of the form that PaddleX writes: {error!r}") from error


def _settings(data: dict[str, Any]) -> OwnSettings:
    steps = {
        name: options or {}
        for step in (data.get("PreProcess") or {}).get("transform_ops") or []
        for name, options in step.items()
    }
    after = data.get("PostProcess") or {}
    kind = KINDS.get(after.get("name", next(iter(after), "")))
    labels = (after.get("Topk") or after).get("label_list") or ()
    return OwnSettings(
        kind="page_orientation" if kind == "cls" and len(labels) == len(ANGLES) else kind,
        name=str((data.get("Global") or {}).get("model_name", "")),
        characters=tuple(str(c) for c in after.get("character_dict") or ()),
        height=_height(steps),
        normalisation=_normalisation(steps),
        thresholds={ours: float(after[key]) for key, ours in THRESHOLDS.items() if key in after},
    )


def _height(steps: Mapping[str, Any]) -> int | None:
    """The input's height, out of a recogniser's [C, H, W] or a classifier's [W, H]."""
    if "RecResizeImg" in steps:
        return int(steps["RecResizeImg"]["image_shape"][1])
    size = steps.get("ResizeImage", {}).get("size")
    return None if size is None else int(size[1])


def _normalisation(steps: Mapping[str, Any]) -> Normalisation | None:
    """Mean and std in the order blue, green, red.

    Text detectors are fed as OpenCV reads (DecodeImage: BGR); PaddleX reads RGB for every
    classifier, whose steps have no DecodeImage.
    """
    options = steps.get("NormalizeImage")
    if options is None:
        return None
    dividend, _, divisor = options.get("scale", "1/255").partition("/")  # PaddleX: "1./255."
    if abs(float(dividend) / float(divisor or 1) * 255 - 1) > 1e-3:
        raise ValueError(f"pixels are scaled by {options['scale']}, only 1/255 is known")
    mean, std = (tuple(float(v) for v in options[key]) for key in ("mean", "std"))
    if (steps.get("DecodeImage") or {}).get("img_mode", "RGB") == "RGB":
        mean, std = mean[::-1], std[::-1]
    return Normalisation(mean, std)
