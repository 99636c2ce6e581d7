"""What a server says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ppocr_client.options import OPTIONS


@dataclass(frozen=True)
class ServerInfo:
    """A server, its models, and what its pipeline takes.

    Attributes:
        name: What the server calls itself, such as "triton".
        version: Its version.
        models: The versions of each model that is ready, by its name.
        limits: The largest picture: max_image_bytes, max_image_pixels, max_image_side.
        recognizer: The name of the network that reads lines; None if the server does not say it.
        languages: What it reads, by PaddleOCR's codes such as "ch", "en", "korean"; empty for a
            network that the project's catalogue does not have.
        classes: How many characters it tells apart, the space and the blank included.
        defaults: What the options of a request are if it does not set them, as the server
            writes them; options that it does not name have PaddleOCR's own defaults.
        parameters: All `parameters` of each model's configuration.
    """

    name: str
    version: str
    models: Mapping[str, tuple[str, ...]]
    limits: Mapping[str, int]
    recognizer: str | None
    languages: tuple[str, ...]
    classes: int | None
    defaults: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, str]]


class Work(NamedTuple):
    """What a model has done since the server started: requests, and seconds spent on them all.

    The time of a request is from its arrival at the model to its answer, waiting included; that of
    a model which calls others includes theirs.
    """

    requests: int
    seconds: float


def work_of(statistics: Mapping[str, Any]) -> dict[str, Work]:
    """Each model's work, its versions together, from the server's statistics."""
    work: dict[str, Work] = {}
    for model in statistics.get("model_stats", ()):
        # Protobuf's JSON writes such numbers as text, and leaves out those that are 0.
        success = model.get("inference_stats", {}).get("success", {})
        before = work.get(model["name"], Work(0, 0.0))
        requests, seconds = int(success.get("count", 0)), int(success.get("ns", 0)) / 1e9
        work[model["name"]] = Work(before.requests + requests, before.seconds + seconds)
    return work


def ready_versions(statistics: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The versions of each model that is ready, from the server's statistics; sorted by name."""
    versions: dict[str, tuple[str, ...]] = {}
    for model in sorted(statistics.get("model_stats", ()), key=lambda model: model["name"]):
        found = versions.get(model["name"], ())
        versions[model["name"]] = (*found, str(model.get("version", "")))
    return versions


def server_info_of(
    server: Mapping[str, Any],
    versions: Mapping[str, tuple[str, ...]],
    configs: Sequence[Mapping[str, Any]],
) -> ServerInfo:
    """What the server's metadata and the configurations of its ready models say."""
    parameters = {
        config["name"]: {
            name: str(value.get("string_value", ""))
            for name, value in config.get("parameters", {}).items()
        }
        for config in configs
    }
    all_of_them = {name: value for values in parameters.values() for name, value in values.items()}
    return ServerInfo(
        name=str(server["name"]),
        version=str(server["version"]),
        models=versions,
        limits={
            name: int(value) for name, value in all_of_them.items() if name.startswith("max_image_")
        },
        recognizer=all_of_them.get("rec_name"),
        languages=tuple(filter(None, all_of_them.get("languages", "").split(","))),
        classes=int(all_of_them["rec_classes"]) if "rec_classes" in all_of_them else None,
        defaults={name: all_of_them[name] for name in OPTIONS if name in all_of_them},
        parameters=parameters,
    )
