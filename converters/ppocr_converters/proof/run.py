"""One proof of compiled models: each on random tensors, the set on pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ppocr_converters.graph.kinds import expect_kind, kind_of
from ppocr_converters.graph.model_files import kind_at
from ppocr_converters.proof.lines import ReadingProof
from ppocr_converters.proof.reading import Pair, prove_reading
from ppocr_converters.proof.tensors import TensorProof, compare_file
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan
from ppocr_converters.repository.manifest import tool_versions
from ppocr_engine.spec import engine_named


@dataclass(frozen=True)
class Run:
    """Everything one proof found out.

    Attributes:
        models: the compiled file and the source of each kind.
        tensors: by kind.
        reading: where there is a detector and a recogniser.
        versions: of all tools, Python and the engine included.
    """

    models: Mapping[str, Pair]
    tensors: Mapping[str, TensorProof]
    reading: ReadingProof | None
    versions: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        """Every bound that is not kept, a sentence each."""
        tensors = [f"{kind}, {p}" for kind, proof in self.tensors.items() for p in proof.problems]
        return tensors + (self.reading.problems if self.reading else [])

    @property
    def differences(self) -> list[str]:
        """Every difference of the readings, a sentence each."""
        return self.reading.differences if self.reading else []

    @property
    def facts(self) -> dict[str, object]:
        """All of it as JSON can hold it."""
        return {
            "proven": not self.problems,
            "problems": self.problems,
            "models": {
                kind: {"compiled": str(compiled.path), "source": str(source)}
                for kind, (compiled, source) in self.models.items()
            },
            **{kind: dataclasses.asdict(proof) for kind, proof in self.tensors.items()},
            **({"reading": dataclasses.asdict(self.reading)} if self.reading else {}),
            "versions": dict(self.versions),
        }


def prove_pairs(
    models: Mapping[str, Pair],
    source: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
    *,
    engine: str = "onnxruntime",
) -> Run:
    """Compare compiled models with their sources: each on tensors, the set on pictures.

    Args:
        models: one or more of "det", "rec" and "cls"; pictures are read with the first two.
        source: the repository whose steps read.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.
        engine: of the compiled models, a name in `ppocr_engine.spec.ENGINES`.

    Raises:
        ModelError: one is of another kind than it is given as.
    """
    spec = engine_named(engine)
    for kind, (compiled, origin) in models.items():
        expect_kind(kind_of(compiled.model), kind, str(compiled.path))
        expect_kind(kind_at(origin), kind, str(origin))
    tensors = {
        kind: compare_file(*pair, bounds=bounds, engine=spec) for kind, pair in models.items()
    }
    reading = None
    if {"det", "rec"} <= set(models):
        plan = Plan(f"the engine {engine}", dict.fromkeys(models, ModelPlan(engine=spec)))
        reading = prove_reading(models, source, plan, pictures, bounds)
    return Run(models, tensors, reading, {**tool_versions(), "engine": engine})
