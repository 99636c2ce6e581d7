"""What a picture and a line cost at each step, from a result of a benchmark and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

from ppocr_bench.errors import BenchError
from ppocr_bench.plan.sweep_costs import Measured, first_point, measured_steps, number, whole
from ppocr_bench.reporting.verb import read

Result = Mapping[str, Any]

#: What the rest of a picture's time is called where a result does not divide it by steps.
OTHER = "other"
HOW = (
    "costs are measured, never assumed: run `ppocr-bench sweep --concurrency 1,2,4,8 --out FILE`, "
    "`ppocr-bench lines --out FILE` or `ppocr-bench peers --out FILE` on the machine that will "
    "serve, with nothing else running, and give --costs FILE"
)
NOTICE_LOAD = 0.5  # of the cores: busier than that before a measurement, it is worth a word
_SETTING = re.compile(r"\b(det|rec): .*?(\d+) instances of (\d+) threads")


@dataclass(frozen=True)
class Costs:
    """Measured costs in seconds of one core (of one GPU for the networks, where there was one).

    Attributes:
        verb: whose result they are from.
        processor: of the machine that was measured.
        cores: that its server could use.
        gpu: whether the networks ran on one.
        lines: of a picture that was measured, on the average.
        picture: by step, seconds a picture.
        line: by step, seconds a line.
        instances: by step, where the result tells.
        threads: of an instance, by step, where the result tells; else one.
        batch: lines that `rec` reads in one call.
        pss_mib: the server's memory at its largest, None where it was not measured.
        notes: what to know about them.
    """

    verb: str
    processor: str
    cores: int
    gpu: bool
    lines: float
    picture: Mapping[str, float]
    line: Mapping[str, float]
    instances: Mapping[str, int] = field(default_factory=dict)
    threads: Mapping[str, int] = field(default_factory=dict)
    batch: float = 1.0
    pss_mib: float | None = None
    notes: tuple[str, ...] = ()


def read_costs(path: Path | None, lines: float, label: str | None = None) -> Costs:
    """The costs in a result of `sweep`, `lines` or `peers`.

    Args:
        path: what --out wrote; None where the user gave none.
        lines: of the pictures to be planned for; `lines` takes the page nearest to it.
        label: of the repository, where `peers` served several.

    Raises:
        BenchError: there is no file, it is of another verb, or it does not hold the costs.
    """
    if path is None:
        raise BenchError(HOW)
    result = read(path)
    readers: dict[str, Callable[[], Costs]] = {
        "sweep": lambda: from_sweep(result),
        "lines": lambda: from_lines(result, lines),
        "peers": lambda: from_peers(result, label),
    }
    if result["verb"] not in readers:
        raise BenchError(f"{path} is a result of `{result['verb']}`, which tells no costs; {HOW}")
    try:
        return readers[result["verb"]]()
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise BenchError(
            f"{path} is not as `ppocr-bench {result['verb']}` writes it now "
            f"({type(error).__name__}: {error}); measure again"
        ) from error
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error


def from_sweep(result: Result) -> Costs:
    """From the one point at which nothing waits: one request at a time."""
    point = first_point(result)
    measured: Measured = measured_steps(result, point)
    memory = [p["pss_mib"] for p in result["points"] if p["pss_mib"] is not None]
    return Costs(
        verb="sweep",
        processor=result["machine"]["processor"],
        cores=measured.cores,
        gpu=measured.gpu,
        lines=measured.lines,
        picture=measured.picture,
        line=measured.line,
        instances=measured.instances,
        threads=measured.threads,
        batch=measured.batch,
        pss_mib=max(memory, default=None),
        notes=busy(result),
    )


def from_lines(result: Result, lines: float) -> Costs:
    """From the bare networks beside the server.

    `rec` is the slope of its time over the lines of all pages; `det` what is left of the bare time
    of the page nearest to `lines`; the rest what the server took beyond it.
    """
    cores, settings = (
        whole(result["machine"]["cores"], "machine.cores"),
        _settings(result["setting"]),
    )
    given = [page for page in result["pages"] if page["way"] == "recognize" and page["lines"]]
    found = [page for page in result["pages"] if page["way"] == "ocr" and page["lines"]]
    if len({page["lines"] for page in given}) < 2 or not found:
        raise BenchError("pages of two different numbers of lines are needed; see its --lines")
    wall = _slope([(page["lines"], median(page["alone"])) for page in given])
    instances, threads = settings["rec"]
    page = min(found, key=lambda page: abs(page["lines"] - lines))
    alone = median(page["alone"])
    det = alone - wall * page["lines"]
    _above_zero(rec=wall, det=det)
    return Costs(
        verb="lines",
        processor=result["machine"]["processor"],
        cores=cores,
        gpu=False,
        lines=page["lines"],
        picture={
            "det": det * settings["det"][1],
            OTHER: max(0.0, median(page["seconds"]) - alone),
        },
        line={"rec": wall * min(instances * threads, cores)},
        instances={name: found for name, (found, _) in settings.items()},
        threads={name: found for name, (_, found) in settings.items()},
        notes=(
            *busy(result),
            f"det and the rest are those of the page with {page['lines']} lines; "
            "memory was not measured",
        ),
    )


def from_peers(result: Result, label: str | None) -> Costs:
    """From the throughput of the networks alone and of the server, with all cores busy.

    Two workloads with different numbers of lines tell what a picture and what a line costs.
    """
    cores, label = whole(result["machine"]["cores"], "machine.cores"), _label(result, label)
    ours, bound = f"ours ({label})", f"bound ({label})"
    read_by_us = {r["workload"]: r["lines"] for r in result["readings"] if r["peer"] == ours}
    rows = {(r["workload"], r["peer"], r["clients"]): r for r in result["rows"]}
    known = [(*key[::2], row) for key, row in rows.items() if key[1] == ours and key[2] >= cores]
    both = [
        (workload, clients, row, rows[workload, bound, clients])
        for workload, clients, row in known
        if (workload, bound, clients) in rows
    ]
    if not both:
        raise BenchError(
            f"no row of {ours} and {bound} with at least {cores} clients, as many as cores"
        )
    most = {workload: clients for workload, clients, _, _ in sorted(both, key=lambda one: one[1])}
    networks, rest = [], []
    for workload, clients, row, alone in both:
        if clients == most[workload]:
            lines = read_by_us[workload] / len(result["workloads"][workload])
            seconds = cores / number(alone["pictures_per_second"], "pictures_per_second")
            networks.append((lines, seconds))
            rest.append(cores / number(row["pictures_per_second"], "pictures_per_second") - seconds)
    if len({lines for lines, _ in networks}) < 2:
        raise BenchError("two workloads with different lines are needed; see its --pages")
    rec = _slope(networks)
    det = fmean(seconds - rec * lines for lines, seconds in networks)
    _above_zero(rec=rec, det=det)
    settings = _settings(result["settings"][ours][0])
    return Costs(
        verb="peers",
        processor=result["machine"]["processor"],
        cores=cores,
        gpu=False,
        lines=fmean(lines for lines, _ in networks),
        picture={"det": det, OTHER: max(0.0, fmean(rest))},
        line={"rec": rec},
        instances={name: found for name, (found, _) in settings.items()},
        threads={name: found for name, (_, found) in settings.items()},
        pss_mib=max(row["pss_mib"] for row in result["rows"] if row["peer"] == ours),
        notes=(*busy(result), "det is taken to cost the same on the pictures of all workloads"),
    )


def _label(result: Result, label: str | None) -> str:
    labels = list(result["labels"])
    if label is None and len(labels) == 1:
        return str(labels[0])
    if label is None or label not in labels:
        raise BenchError(f"--label {label}: choose one of {', '.join(labels)}")
    return label


def _settings(text: str) -> dict[str, tuple[int, int]]:
    """Instances and threads of `det` and `rec`, as `bare.Networks.describe` writes them."""
    found = {name: (int(count), int(threads)) for name, count, threads in _SETTING.findall(text)}
    if set(found) != {"det", "rec"}:
        raise ValueError(f"no instances and threads of det and rec in {text!r}")
    return found


def _slope(points: list[tuple[float, float]]) -> float:
    """Of the line of least squares through points (x, y) with at least two different x."""
    middle_x, middle_y = (fmean(values) for values in zip(*points, strict=True))
    above = sum((x - middle_x) * (y - middle_y) for x, y in points)
    return above / sum((x - middle_x) ** 2 for x, _ in points)


def _above_zero(**seconds: float) -> None:
    for name, found in seconds.items():
        if found <= 0:
            raise BenchError(
                f"{name} would cost {found * 1e3:.1f} ms: the times vary more than they differ; "
                "measure again with more rounds and nothing else running"
            )


def busy(result: Result) -> tuple[str, ...]:
    """A note if other things ran on the machine before it was measured."""
    machine = result["machine"]
    if machine["load"] <= NOTICE_LOAD * machine["cores"]:
        return ()
    return (
        f"{result['verb']}: the load was {machine['load']} on {machine['cores']} cores before it "
        "was measured; times are too long by what else ran",
    )
