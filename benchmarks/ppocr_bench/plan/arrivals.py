"""When pictures come to one of several equal servers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, cycle, pairwise
from pathlib import Path
from random import Random

from ppocr_bench.errors import BenchError


def poisson(rate: float, total: int, seed: int) -> list[float]:
    """Seconds at which so many pictures come, each whenever it likes, `rate` a second."""
    random = Random(seed)  # nosec B311 # not for secrets
    return list(accumulate(random.expovariate(rate) for _ in range(total)))


def measured(
    gaps: Sequence[float], rate: float, replicas: int, total: int, seed: int
) -> list[float]:
    """The recorded gaps again and again at another rate; one in `replicas` comes here, at random.

    Args:
        gaps: seconds between two pictures.
        rate: pictures a second to all servers together.
        replicas: servers.
        total: pictures that come here.
        seed: of the choice.
    """
    random = Random(seed)  # nosec B311 # not for secrets
    scale = len(gaps) / (sum(gaps) * rate)
    now, found = 0.0, []
    for gap in cycle(gaps):
        now += gap * scale
        if random.random() * replicas < 1:  # nosec B311 # not for secrets
            found.append(now)
            if len(found) == total:
                break
    return found


def read_gaps(path: Path) -> list[float]:
    """Seconds between the arrivals in a file with a time in seconds on each line, ascending.

    Raises:
        BenchError: it cannot be read, or is something else.
    """
    try:
        times = [float(line) for line in path.read_text("utf-8").split()]
    except OSError as error:
        raise BenchError(f"--arrivals: cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BenchError(f"--arrivals: {path} must have seconds, a line each: {error}") from error
    gaps = [after - before for before, after in pairwise(times)]
    if not gaps or not sum(gaps) > 0 or not min(gaps) >= 0:
        raise BenchError(f"--arrivals: {path} must have ascending seconds, at least two different")
    return gaps
