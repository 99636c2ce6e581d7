"""What Triton itself counts: where the time of the pictures went, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ppocr_bench.errors import BenchError

#: The parts of a request's time in a model, by Triton's names.
PARTS = ("queue", "compute_input", "compute_infer", "compute_output")
PIPELINE = "ocr"


@dataclass(frozen=True)
class Totals:
    """Sums of one model since the server started.

    Attributes:
        requests: answered.
        failures: refused or failed.
        inferences: elements of batches.
        executions: batches.
        ns: nanoseconds by part.
    """

    requests: int
    failures: int
    inferences: int
    executions: int
    ns: dict[str, int]


@dataclass(frozen=True)
class Step:
    """What one model did for a picture, on the average.

    Attributes:
        calls: requests a picture; `rec` has one for each batch of lines.
        batch: elements that were computed together.
        queue_ms: waiting for an instance, all calls together; so for the other three.
        input_ms: getting the tensors together.
        infer_ms: the work itself.
        output_ms: handing the results on.
    """

    calls: float
    batch: float
    queue_ms: float
    input_ms: float
    infer_ms: float
    output_ms: float


class Server:
    """The statistics and configurations of a server at one address.

    Both raise BenchError when it does not answer.
    """

    def __init__(self, url: str) -> None:
        """Connect to grpc://HOST:PORT or http://HOST:PORT."""
        protocol, _, address = url.partition("://")
        self._url, self._as_json = url, {}
        if protocol == "grpc":
            from tritonclient.grpc import InferenceServerClient

            self._as_json = {"as_json": True}
        else:
            from tritonclient.http import InferenceServerClient
        self._client = InferenceServerClient(address)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def totals(self) -> dict[str, Totals]:
        """The sums of every model by its name."""
        answer = self._ask("get_inference_statistics")
        return {model["name"]: read_totals(model) for model in answer["model_stats"]}

    def models(self) -> dict[str, dict[str, Any]]:
        """How every model is served: engine, instances, and its parameters."""
        found = {}
        for name in self.totals():
            answer = self._ask("get_model_config", name)
            found[name] = describe_model(answer.get("config", answer))
        return found

    def _ask(self, method: str, *args: str) -> Any:
        from tritonclient.utils import InferenceServerException

        try:
            return getattr(self._client, method)(*args, **self._as_json)
        except (InferenceServerException, OSError) as error:
            raise BenchError(f"{self._url} gives no statistics: {error}") from error


def read_totals(model: Mapping[str, Any]) -> Totals:
    """One entry of Triton's statistics; gRPC writes numbers as strings and leaves zeros out."""
    parts = model.get("inference_stats", {})

    def read(part: str, field: str) -> int:
        return int(parts.get(part, {}).get(field, 0))

    return Totals(
        requests=read("success", "count"),
        failures=read("fail", "count"),
        inferences=int(model.get("inference_count", 0)),
        executions=int(model.get("execution_count", 0)),
        ns={part: read(part, "ns") for part in PARTS},
    )


def describe_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """What matters for speed in a model's configuration."""
    parameters = {
        name: value["string_value"] for name, value in config.get("parameters", {}).items()
    }
    return {
        "engine": config.get("backend") or config.get("platform", ""),
        "instances": sum(int(group.get("count", 1)) for group in config.get("instance_group", [])),
        "max_batch_size": int(config.get("max_batch_size", 0)),
        "parameters": parameters,
    }


def steps_between(before: Mapping[str, Totals], after: Mapping[str, Totals]) -> dict[str, Step]:
    """What each model did between two readings, for a picture that the pipeline read.

    Models that did nothing are left out, and so is the pipeline itself, whose time is its steps'.
    """
    pictures = max(1, after[PIPELINE].requests - before[PIPELINE].requests)
    steps = {}
    for name, now in after.items():
        then = before[name]
        calls = now.requests - then.requests
        if name == PIPELINE or not calls:
            continue
        ms = {part: (now.ns[part] - then.ns[part]) / pictures / 1e6 for part in PARTS}
        executions = max(1, now.executions - then.executions)
        steps[name] = Step(
            calls / pictures, (now.inferences - then.inferences) / executions, *ms.values()
        )
    return steps
