"""Which engine runs each network: the one named, or the fastest of several whose proof holds.

An engine is held to the proof that compiled models are held to: its tensors against the network
that the model was made from, and then the whole set, read by the very engines, precisions and
threads that will serve. Where that fails, the next fastest is tried. What came of it is kept, so
that nothing is timed again until models, processor, versions or code change.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ppocr_converters.errors import ProofError
from ppocr_converters.proof.engine_timing import MARGIN, race
from ppocr_converters.proof.run import prove_engine, prove_set
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan, settle
from ppocr_converters.repository.manifest import (
    Manifest,
    code_digest,
    read_manifest,
    tool_versions,
    write_manifest,
)
from ppocr_converters.repository.model_build import Prepared
from ppocr_engine.errors import EngineError
from ppocr_engine.machine import has_bfloat16, processor
from ppocr_engine.spec import ENGINES, ONNXRUNTIME, EngineSpec

logger = logging.getLogger(__name__)


#: A way to run each network of a set, by its name.
Ways = Mapping[str, EngineSpec]


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why.

    Attributes:
        plan: with one engine for every network that had several.
        report: by network the engine, its precision and threads, its tensors' proof, and all
            that were considered; what was refused as a set; the processor.
        proof: the figures of the reading with these engines.
    """

    plan: Plan
    report: Manifest
    proof: Manifest


@dataclass(frozen=True)
class Candidate:
    """One engine of one network.

    Attributes:
        engine: the engine.
        way: the same with the threads that it gets.
        milliseconds: of one run, None where it was not timed.
        outcome: "holds", "not tried", or why it cannot be taken.
    """

    engine: EngineSpec
    way: EngineSpec
    milliseconds: float | None = None
    outcome: str = "not tried"


@dataclass(frozen=True)
class _Set:
    """What proofs are about: see `choose`."""

    models: Mapping[str, Prepared]
    source: Path
    work: Path
    pictures: Sequence[Path]
    bounds: Sequence[str]

    @property
    def label(self) -> str:
        return "+".join(model.path.parent.name for model in self.models.values())

    def prove(self, ways: Ways) -> Manifest:
        """Prove that the set reads the same in these ways."""
        spelled = "+".join(f"{way}-{way.threads}" for way in ways.values())
        kept = self.work / f"{self.label}.{spelled}.json"
        return prove_set(self.models, self.source, kept, self.pictures, self.bounds, ways=ways)


def choose(
    models: Mapping[str, Prepared],
    plan: Plan,
    source: Path,
    work: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
) -> Choice:
    """Choose an engine for every network of a set, and prove the set with them.

    Args:
        models: "det", "rec" and, where there is one, "cls".
        plan: with the engines that are allowed for each.
        source: the repository whose steps read.
        work: where proofs and choices are kept.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.

    Raises:
        ProofError: no engine that is allowed keeps the bounds.
        ModelError: an engine that is named cannot run a network here.
    """
    of = _Set(models, source, work, pictures, bounds)
    allowed = {name: _allowed(plan.models.get(name, ModelPlan())) for name in models}
    if all(len(several) == 1 for several in allowed.values()):
        ways = {name: several[0].way for name, several in allowed.items()}
        tensors = {name: prove_engine(models[name], way, bounds) for name, way in ways.items()}
        proof = of.prove(ways)
        held = {name: [_with(several[0], "holds")] for name, several in allowed.items()}
        return Choice(plan, _report(ways, held, tensors, []), proof)
    inputs = _inputs(of, allowed)
    kept = work / f"{of.label}.engines.json"
    known = read_manifest(kept)
    if known is None or known.get("inputs") != inputs:
        known = {"inputs": inputs, "report": _contest(of, allowed)}
        write_manifest(kept, known)
    report: Manifest = known["report"]
    engines = {name: ENGINES[entry["way"]] for name, entry in report["networks"].items()}
    ways = {
        name: replace(engine, threads=report["networks"][name]["threads"])
        for name, engine in engines.items()
    }
    return Choice(settle(plan, engines), report, of.prove(ways))


def _allowed(planned: ModelPlan) -> list[Candidate]:
    return [
        Candidate(engine, replace(engine, threads=planned.threads))
        for engine in planned.engines or (ONNXRUNTIME,)
    ]


def _inputs(of: _Set, allowed: Mapping[str, Sequence[Candidate]]) -> Manifest:
    return {
        "models": {name: model.manifest["files"] for name, model in of.models.items()},
        "allowed": {
            name: [f"{one.way} x{one.way.threads}" for one in several]
            for name, several in allowed.items()
        },
        "bounds": list(of.bounds),
        "pictures": [str(picture) for picture in of.pictures],
        "processor": processor(),
        "tools": tool_versions(),
        "code": code_digest(),
    }


def _contest(of: _Set, allowed: Mapping[str, Sequence[Candidate]]) -> Manifest:
    """Time the engines, and take the fastest set whose proof holds.

    Raises:
        ProofError: none does; says why of each.
    """
    timed = _timed(of, {name: _present(several) for name, several in allowed.items()})
    refused: list[str] = []
    failed: dict[tuple[str, EngineSpec], str] = {}
    for ways in sets_by_preference(timed):
        if any(pair in failed for pair in ways.items()):
            continue
        tensors = {}
        try:
            for name, way in ways.items():
                tensors[name] = prove_engine(of.models[name], way, of.bounds)
        except ProofError as error:
            logger.warning("%s by %s is not taken: %s", name, way, error)
            failed[name, way] = str(error)
            continue
        try:
            of.prove(ways)
        except ProofError as error:
            named = {name: str(way) for name, way in ways.items()}
            logger.warning("%s are not taken together: %s", _spelled(named), error)
            refused.append(f"{_spelled(named)}: {error}")
            continue
        outcomes = failed | dict.fromkeys(ways.items(), "holds")
        considered = {
            name: [_with(one, outcomes.get((name, one.way), one.outcome)) for one in several]
            for name, several in timed.items()
        }
        return _report(ways, considered, tensors, refused)
    raise ProofError("the set of compiled models with any engine", [*failed.values(), *refused])


def _present(several: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, with the reason of those that cannot run here."""
    missing = {}
    try:
        if not has_bfloat16():
            missing["bf16"] = "this processor has no bfloat16 (AVX512-BF16 or AMX)"
    except EngineError as error:
        missing["openvino"] = str(error)
    return [
        _with(one, missing.get(one.engine.backend, missing.get(one.engine.precision, one.outcome)))
        for one in several
    ]


def _timed(of: _Set, allowed: Mapping[str, Sequence[Candidate]]) -> dict[str, list[Candidate]]:
    """The candidates with their times, where there are several that can run."""
    able = {
        name: [one for one in several if one.outcome == "not tried"]
        for name, several in allowed.items()
    }
    contested = {name: [one.way for one in several] for name, several in able.items()}
    logger.info("timing the engines")
    times = race({name: model.path for name, model in of.models.items()}, contested)
    found = {
        (name, one.way): took
        for name, several in able.items()
        for one, took in zip(several, times[name], strict=True)
    }
    return {
        name: [
            Candidate(one.engine, one.way, found.get((name, one.way)), one.outcome)
            for one in several
        ]
        for name, several in allowed.items()
    }


def sets_by_preference(timed: Mapping[str, Sequence[Candidate]]) -> Iterator[dict[str, EngineSpec]]:
    """The sets in the order in which they are tried: by time, each network counting alike.

    An engine that is further from the reference must be faster by `MARGIN` to be preferred.

    Args:
        timed: candidates by network, the nearest to the reference first; those without a time
            cannot be taken.
    """
    costs = {name: _costs(several) for name, several in timed.items()}
    sets = itertools.product(*(cost.items() for cost in costs.values()))
    for chosen in sorted(sets, key=lambda several: sum(cost for _, cost in several)):
        yield {name: way for name, (way, _) in zip(costs, chosen, strict=True)}


def _costs(several: Sequence[Candidate]) -> dict[EngineSpec, float]:
    """The time of each candidate as a multiple of the shortest, the nearer ones favoured."""
    times = {one.way: one.milliseconds for one in several if one.milliseconds is not None}
    shortest = min(times.values())
    return {
        way: took / shortest * (1 + MARGIN) ** place
        for place, (way, took) in enumerate(times.items())
    }


def _report(
    ways: Ways,
    considered: Mapping[str, Sequence[Candidate]],
    tensors: Mapping[str, Manifest | None],
    refused: Sequence[str],
) -> Manifest:
    return {
        "networks": {
            name: {
                "way": str(engine),
                "engine": engine.backend,
                "precision": engine.precision,
                "threads": way.threads,
                "tensors": tensors[name],
                "considered": [
                    {
                        "engine": str(one.engine),
                        "milliseconds": one.milliseconds and round(one.milliseconds, 2),
                        "outcome": one.outcome,
                    }
                    for one in considered[name]
                ],
            }
            for name, way in ways.items()
            for engine in [ENGINES[str(way)]]
        },
        "refused": list(refused),
        "processor": processor(),
    }


def _with(one: Candidate, outcome: str) -> Candidate:
    return Candidate(one.engine, one.way, one.milliseconds, outcome)


def _spelled(engines: Mapping[str, str]) -> str:
    return ", ".join(f"{name} by {engine}" for name, engine in engines.items())
