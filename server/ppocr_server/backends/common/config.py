"""What the stand-ins read of a model configuration, whatever the engine."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]

# Fields of the configuration that need what a Python-based backend does not get.
REFUSED = {
    "sequence_batching": "sequence batching",
    "batch_input": "batch_input (values that the batcher adds)",
    "batch_output": "batch_output (outputs shaped by the batcher)",
}


class ConfigurationError(ValueError):
    """The model cannot be loaded; the message is one sentence that says why."""


def refuse_unsupported(config: Json, backend: str) -> None:
    """Refuse what no stand-in can do.

    Raises:
        ConfigurationError: names it.
    """
    for key, what in REFUSED.items():
        if config.get(key):
            raise ConfigurationError(
                f"{what} is not supported by the Python stand-in for {backend}"
            )
    if config.get("model_transaction_policy", {}).get("decoupled"):
        raise ConfigurationError(f"decoupled answers are not supported by {backend} models")


def parameters_of(config: Json) -> dict[str, str]:
    """The texts of `parameters` by their keys."""
    entries = config.get("parameters", {})
    return {key: value.get("string_value", "") for key, value in entries.items()}


def integer(parameters: Mapping[str, str], key: str) -> int:
    """A parameter that is a whole number; 0 where there is none.

    Raises:
        ConfigurationError: it is something else.
    """
    text = parameters.get(key, "") or "0"
    try:
        return int(text)
    except ValueError as error:
        raise ConfigurationError(
            f"parameter {key} is '{text}'; a whole number is expected"
        ) from error


def weights_path(version_folder: Path, file_name: str, inside: str) -> Path:
    """Return the file to load; of a folder of that name, the file called `inside`.

    Raises:
        ConfigurationError: it does not exist.
    """
    path = version_folder / file_name
    if path.is_dir():
        path = path / inside
    if not path.is_file():
        raise ConfigurationError(f"{path} does not exist; run `ppocr-convert build`")
    return path


def import_engine(name: str) -> Any:
    """Import the package of an engine.

    Raises:
        ConfigurationError: it is not installed in the Python that serves.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{name} is not installed; install it with: pip install 'ppocr-triton[serve]'"
        ) from error
