"""What a machine gives: `tune`, then `sweep` up to four requests a core, in one file.

Run it once on a quiet machine, and send the file that --out wrote: `ppocr-bench report` puts the
files of several machines side by side.
"""

from __future__ import annotations

import argparse

from ppocr_bench.record import Result
from ppocr_bench.verbs import sweep, tune
from ppocr_engine.machine import available_cores

#: Options of `sweep` that are not asked for: a server is started here, under every load.
FIXED: dict[str, object] = {
    "--url": None,
    "--pid": None,
    "--metrics-url": None,
    "--blank": False,
    "--concurrency": [],
}
BOTH = {**sweep.OPTIONS, **tune.OPTIONS}
OPTIONS = {key: value for key, value in BOTH.items() if key not in FIXED}


def run(args: argparse.Namespace) -> Result:
    """Both, one after the other; it passes where both do."""
    vars(args).update((key[2:].replace("-", "_"), value) for key, value in FIXED.items())
    args.concurrency = loads(available_cores())
    both = {"tune": tune.run(args), "sweep": sweep.run(args)}
    first, last = both.values()
    return Result(
        f"{last.summary} as built; {first.summary}",
        ok=first.ok is not False and last.ok is not False,
        settings={**first.settings, **last.settings},
        tables={**last.tables, **first.tables},
        charts=last.charts,
        notes=[f"{name}: {note}" for name, one in both.items() for note in one.notes],
    )


def loads(cores: int) -> list[int]:
    """Requests under way: 1, 2, 4, … up to four a core."""
    doubled = [1]
    while doubled[-1] < 4 * cores:
        doubled.append(min(2 * doubled[-1], 4 * cores))
    return doubled
