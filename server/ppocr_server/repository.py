"""Look a model repository over before tritonserver does, for what has a clear remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ppocr_server.errors import RepositoryError

BUILD_HINT = "run `ppocr-convert build`"
DEFAULT_FILE = {"onnxruntime": "model.onnx", "tensorrt": "model.plan"}
BACKEND_OF_PLATFORM = {"onnxruntime_onnx": "onnxruntime", "tensorrt_plan": "tensorrt"}


def check_repository(repository: Path) -> list[str]:
    """Return the names of the models in a repository that tritonserver can try to load.

    Raises:
        RepositoryError: no such folder, no model in it, a `config.pbtxt` that is not valid, or
            network models without weights (all of them named).
    """
    if not repository.is_dir():
        raise RepositoryError(f"there is no model repository at {repository}; {BUILD_HINT}")
    models = sorted(path for path in repository.iterdir() if path.is_dir())
    if not models:
        raise RepositoryError(f"the model repository {repository} is empty; {BUILD_HINT}")
    missing = [path for model in models for path in _missing_weights(model)]
    if missing:
        names = ", ".join(dict.fromkeys(f"'{path.parts[-3]}'" for path in missing))
        raise RepositoryError(
            f"no weights for {names}: {missing[0]} does not exist; {BUILD_HINT}, "
            "or name a built repository with --model-repository"
        )
    return [model.name for model in models]


def read_config(model: Path) -> Any:
    """Parse `<model>/config.pbtxt` into Triton's own `ModelConfig` message, None without one.

    Raises:
        RepositoryError: the file is not a valid model configuration; names file and place.
    """
    from google.protobuf import text_format  # type: ignore[import-untyped]
    from tritonclient.grpc import model_config_pb2

    path = model / "config.pbtxt"
    if not path.is_file():
        return None
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except text_format.ParseError as error:
        raise RepositoryError(f"{path} is not a valid model configuration: {error}") from error


def _missing_weights(model: Path) -> list[Path]:
    """Files that the versions of one network model should have and do not."""
    config = read_config(model)
    if config is None:
        return []
    backend = config.backend or BACKEND_OF_PLATFORM.get(config.platform, "")
    if backend not in DEFAULT_FILE or config.cc_model_filenames:
        return []
    file_name = config.default_model_filename or DEFAULT_FILE[backend]
    versions = [path for path in model.iterdir() if path.is_dir() and path.name.isdigit()]
    wanted = [version / file_name for version in versions] or [model / "1" / file_name]
    return [path for path in wanted if not path.exists()]
