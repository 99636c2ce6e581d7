"""One thing after the other is varied; what reads most within the latency limit is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ppocr_bench.tune.setting import Setting, variants

#: A change must gain so much, as a share, to be kept: less is noise, and the default is simpler.
WORTH_IT = 0.03


@dataclass(frozen=True)
class Trial:
    """One setting as it was measured beside others.

    Attributes:
        step: what was varied.
        setting: the values.
        rounds: pictures read in a second, in each round.
        p99_ms: of all requests.
    """

    step: str
    setting: Setting
    rounds: list[float]
    p99_ms: float

    @property
    def pictures_per_second(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)


# Measures settings side by side in one run, in the order given.
Measure = Callable[[str, Sequence[Setting]], list[Trial]]


def search(
    start: Setting,
    steps: Iterable[tuple[str, Sequence[Mapping[str, Any]]]],
    measure: Measure,
    max_p99_ms: float | None,
) -> tuple[Setting, list[Trial]]:
    """The best setting that was found, and everything that was measured.

    Args:
        start: the first setting.
        steps: what is varied, and the values that are tried.
        measure: see `Measure`.
        max_p99_ms: the latency limit, None for none.
    """
    best, trials = start, []
    for name, values in steps:
        found = measure(name, variants(best, values))
        trials += found
        best = choose(found, max_p99_ms).setting
    return best, trials


def choose(trials: Sequence[Trial], max_p99_ms: float | None) -> Trial:
    """The trial to go on with: of those within the limit the fastest; where none is, the quickest.

    The first is the one in force, which stays unless another is worth the change.
    """
    within = [trial for trial in trials if max_p99_ms is None or trial.p99_ms <= max_p99_ms]
    if not within:
        return min(trials, key=lambda trial: trial.p99_ms)
    fastest = max(within, key=lambda trial: trial.pictures_per_second)
    in_force = trials[0]
    gain = fastest.pictures_per_second / in_force.pictures_per_second - 1
    return in_force if in_force in within and gain < WORTH_IT else fastest
