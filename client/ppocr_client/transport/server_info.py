"""What Triton's metadata, configurations and statistics say about a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ppocr_client.options import OPTIONS

if TYPE_CHECKING:
    from ppocr_client.client import OcrClient

PATIENCE = 1.0  # seconds for the server to count a request, which it does after answering it

T = TypeVar("T")


@dataclass(frozen=True)
class ServerInfo:
    """A server, its models, and what its pipeline takes.

    Attributes:
        name: The server's own name, such as "triton".
        version: Its version.
        models: The versions of each model that is ready, by its name.
        limits: The largest picture: max_image_bytes, max_image_pixels, max_image_side.
        recognizer: The name of the recognition network; None if the server does not publish it.
        languages: PaddleOCR's codes such as "korean"; empty for a network not in the catalogue.
        classes: The number of characters it knows, the space and the CTC blank included.
        defaults: Those of the options, as text; one that is missing has PaddleOCR's own.
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
    """A model's requests since the server started, and the seconds spent on all of them.

    A request's time is from its arrival at the model to its answer, queueing included; that of a
    model which calls others includes theirs.
    """

    requests: int
    seconds: float


def work_of(statistics: Mapping[str, Any]) -> dict[str, Work]:
    """The work of each model, all versions together, from the server's statistics."""
    work: dict[str, Work] = {}
    for model in statistics.get("model_stats", ()):
        # Protobuf's JSON writes 64-bit numbers as text and omits those that are 0.
        success = model.get("inference_stats", {}).get("success", {})
        requests, seconds = work.get(model["name"], Work(0, 0.0))
        work[model["name"]] = Work(
            requests + int(success.get("count", 0)), seconds + int(success.get("ns", 0)) / 1e9
        )
    return work


def server_info_of(
    server: Mapping[str, Any], statistics: Mapping[str, Any], configs: Sequence[Mapping[str, Any]]
) -> ServerInfo:
    """The server's metadata, statistics and the configurations of its ready models, summed up."""
    versions: dict[str, tuple[str, ...]] = {}
    for model in sorted(statistics.get("model_stats", ()), key=lambda model: model["name"]):
        found = versions.get(model["name"], ())
        versions[model["name"]] = (*found, str(model.get("version", "")))
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


def timed(client: OcrClient, model: str, act: Callable[[], T]) -> tuple[T, float, dict[str, Work]]:
    """A function's return value, the seconds it took, and the work of each model meanwhile.

    Other clients' requests in that time are counted too: `[model].requests` says how many.
    """
    before = client.server_work()
    start = time.perf_counter()
    made = act()
    seconds = time.perf_counter() - start
    deadline = time.monotonic() + PATIENCE
    while True:
        after = client.server_work()
        if after[model].requests > before[model].requests or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    work = {
        name: Work(now.requests - before[name].requests, now.seconds - before[name].seconds)
        for name, now in after.items()
        if name in before and now.requests > before[name].requests
    }
    return made, seconds, work
