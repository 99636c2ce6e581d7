"""Look a model repository over before tritonserver does, for what has a clear remedy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_server.errors import RepositoryError
from ppocr_server.tritonserver.tensorrt_engines import check_engines

BUILD_HINT = "run `ppocr-convert build`"
DEFAULT_FILE = {
    "onnxruntime": "model.onnx",
    "openvino": "model.xml",
    "tensorrt": "model.plan",
    "python": "model.py",
}
NETWORKS = ("onnxruntime", "openvino", "tensorrt")
BACKEND_OF_PLATFORM = {"onnxruntime_onnx": "onnxruntime", "tensorrt_plan": "tensorrt"}


@dataclass(frozen=True)
class Repository:
    """What tritonserver will find in a repository.

    Attributes:
        models: their names.
        configs: Triton's `ModelConfig` of each that has a configuration.
        engines: what runs each network, such as "openvino bf16", by its model's name.
        complete: whether every configuration says all that Triton needs. Then nothing must be
            filled in, which Triton would try in one more process for every Python model: with
            the OCR pipeline that is more than half of the time to start.
    """

    models: list[str]
    configs: list[Any]
    engines: dict[str, str]
    complete: bool


def check_repository(repository: Path) -> Repository:
    """Look a repository over; returns what is in it.

    Raises:
        RepositoryError: no such folder, no model in it, a `config.pbtxt` that is not valid, or
            models without their weights or step code (all of them named; Triton itself would
            wait forever for a step without `model.py`), or TensorRT engines that were built for
            another machine.
    """
    configs = read_configs(repository)
    missing = [path for model, config in configs for path in _missing_files(model, config)]
    if missing:
        names = ", ".join(dict.fromkeys(f"'{path.parts[-3]}'" for path in missing))
        raise RepositoryError(
            f"incomplete models ({names}): {missing[0]} does not exist; {BUILD_HINT}, "
            "or name a built repository with --model-repository"
        )
    check_engines(repository)
    return Repository(
        models=[model.name for model, _ in configs],
        configs=[config for _, config in configs if config is not None],
        engines={model.name: engine for model, config in configs if (engine := engine_of(config))},
        complete=all(_is_complete(model, config) for model, config in configs),
    )


def read_configs(repository: Path) -> list[tuple[Path, Any]]:
    """The folder of every model, by name, with its configuration (see `read_config`).

    Raises:
        RepositoryError: no such folder, no model in it, or a `config.pbtxt` that is not valid.
    """
    if not repository.is_dir():
        raise RepositoryError(f"there is no model repository at {repository}; {BUILD_HINT}")
    models = sorted(path for path in repository.iterdir() if path.is_dir())
    if not models:
        raise RepositoryError(f"the model repository {repository} is empty; {BUILD_HINT}")
    return [(model, read_config(model)) for model in models]


def read_config(model: Path) -> Any:
    """Parse `<model>/config.pbtxt` into Triton's own `ModelConfig` message, None without one.

    A configuration without a name has its folder's, as in Triton.

    Raises:
        RepositoryError: the file is not a valid model configuration; names file and place.
    """
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    path = model / "config.pbtxt"
    if not path.is_file():
        return None
    try:
        config = text_format.Parse(path.read_text("utf-8"), model_config_pb2.ModelConfig())
    except text_format.ParseError as error:
        raise RepositoryError(f"{path} is not a valid model configuration: {error}") from error
    config.name = config.name or model.name
    return config


def engine_of(config: Any) -> str:
    """The engine of a network, with its precision where that is not the file's; "" of others."""
    if config is None:
        return ""
    backend: str = config.backend or BACKEND_OF_PLATFORM.get(config.platform, "")
    if backend not in NETWORKS:
        return ""
    asked = {name: value.string_value.upper() for name, value in config.parameters.items()}
    return f"{backend} bf16" if asked.get("HINT_BF16") == "YES" else backend


def _is_complete(model: Path, config: Any) -> bool:
    """Whether tensors are declared and no step of the model fills the rest in by itself."""
    if config is None or not config.input or not config.output:
        return False
    steps = model.glob("*/model.py")
    return not any("def auto_complete_config" in step.read_text("utf-8") for step in steps)


def _missing_files(model: Path, config: Any) -> list[Path]:
    """Weights or step code that the versions of one model should have and do not."""
    if config is None:
        return []
    backend = config.backend or BACKEND_OF_PLATFORM.get(config.platform, "")
    if backend not in DEFAULT_FILE or config.cc_model_filenames:
        return []
    file_name = config.default_model_filename or DEFAULT_FILE[backend]
    versions = [path for path in model.iterdir() if path.is_dir() and path.name.isdigit()]
    wanted = [version / file_name for version in versions] or [model / "1" / file_name]
    return [path for path in wanted if not path.exists()]
