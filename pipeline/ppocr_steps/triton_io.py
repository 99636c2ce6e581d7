"""Tensors and parameters in, tensors out: the same for every Python step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from ppocr_pipeline.limits import Limits, check_parameters
from ppocr_pipeline.words.place import Word


def config_parameters(args: Mapping[str, str]) -> dict[str, str]:
    """The `parameters` of the model's config.pbtxt, name to string value."""
    parameters = json.loads(args["model_config"]).get("parameters", {})
    return {name: value["string_value"] for name, value in parameters.items()}


def request_parameters(request: Any, limits: Limits) -> dict[str, Any]:
    """The parameters sent with one request, as the server hands them over.

    Raises:
        ValueError: they are more or longer than the limits.
    """
    parameters: dict[str, Any] = json.loads(request.parameters() or "{}")
    check_parameters(parameters, limits)
    return parameters


def tensor(request: Any, name: str) -> np.ndarray:
    """The array of one input; the server has checked that it was sent."""
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def optional_tensor(request: Any, name: str) -> np.ndarray | None:
    """The array of one optional input, or None where it was not sent."""
    found = pb_utils.get_input_tensor_by_name(request, name)
    return None if found is None else found.as_numpy()


def texts(lines: Iterable[str]) -> np.ndarray:
    """Texts as a BYTES tensor: object [N] of UTF-8."""
    return np.array([line.encode() for line in lines], np.object_)


def word_tensors(lines: Sequence[Sequence[Word]]) -> dict[str, np.ndarray]:
    """The words of all lines as tensors; WORD_LINES is the place of each one's line."""
    words = [word for line in lines for word in line]
    return {
        "WORDS": texts(word.text for word in words),
        "WORD_BOXES": np.array([word.box for word in words], np.float32).reshape(-1, 4, 2),
        "WORD_SCORES": np.array([word.score for word in words], np.float32),
        "WORD_LINES": np.repeat(np.arange(len(lines), dtype=np.int32), [*map(len, lines)]),
    }


def response(**outputs: np.ndarray) -> Any:
    """An answer from arrays named by their tensors."""
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, array) for name, array in outputs.items()]
    )
