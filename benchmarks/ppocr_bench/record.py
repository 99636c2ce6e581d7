"""What a measurement leaves: a run of requests, and the result of a verb.

A result file of `--out` is JSON: `verb`, `machine`, and the fields of `Result`. Its tables hold
rows of plain values by key, in the unit that ends the key.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

OK = "OK"
Row = Mapping[str, Any]


class Answer(NamedTuple):
    """One request: its number, gRPC status, when it was sent and answered, and what came."""

    number: int
    status: str
    sent: float
    answered: float
    value: Any = None

    @property
    def seconds(self) -> float:
        """The latency."""
        return self.answered - self.sent


@dataclass(frozen=True)
class Run:
    """A load, and what was measured of it.

    Attributes:
        begin, end: the window that counts, seconds of the monotonic clock.
        answers: every request, those outside the window too.
        cpu: processor seconds of the server's processes while the load ran, by model.
    """

    begin: float
    end: float
    answers: list[Answer]
    cpu: Mapping[str, float] = field(default_factory=dict)

    def counted(self, *statuses: str) -> list[Answer]:
        """Answers within the window that have one of the statuses, without any those with OK."""
        inside = (answer for answer in self.answers if self.begin < answer.answered <= self.end)
        return [answer for answer in inside if answer.status in (statuses or (OK,))]

    def latencies(self, *statuses: str) -> list[float]:
        """Seconds of the `counted` answers."""
        return [answer.seconds for answer in self.counted(*statuses)]

    @property
    def per_second(self) -> float:
        """Answers with a result in a second; one that is partly in the window counts in part.

        Whole answers alone would count too few of a server that works on many at a time.
        """
        parts = (
            max(0.0, min(one.answered, self.end) - max(one.sent, self.begin))
            / max(one.seconds, 1e-9)
            for one in self.answers
            if one.status == OK
        )
        return sum(parts) / (self.end - self.begin)

    @property
    def statuses(self) -> Counter[str]:
        """How many requests ended with each gRPC status."""
        return Counter(answer.status for answer in self.answers)

    @property
    def cpu_ms(self) -> float | None:
        """Processor milliseconds of the server for each answer with a result."""
        served = self.statuses[OK]
        return sum(self.cpu.values()) * 1e3 / served if self.cpu and served else None


def percentile_ms(seconds: Sequence[float], percent: int) -> float | None:
    """A percentile in milliseconds, with linear interpolation; None of nothing."""
    if len(seconds) < 2:
        return seconds[0] * 1e3 if seconds else None
    return quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1e3


def summarise(runs: Sequence[Run], percents: Sequence[int] = (50, 99)) -> dict[str, Any]:
    """Rounds of one load: the median of their throughputs, and the latencies of all of them."""
    seconds = [taken for run in runs for taken in run.latencies()]
    return {
        "pictures_per_second": median(run.per_second for run in runs),
        "rounds": [run.per_second for run in runs],
        "requests": len(seconds),
        **{f"p{percent}_ms": percentile_ms(seconds, percent) for percent in percents},
    }


def save(path: Path, text: str) -> None:
    """Write a file and the folder it lies in; BenchError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}") from error


def read_result(path: Path) -> Mapping[str, Any]:
    """What --out wrote; BenchError where it cannot be read, or is not what a verb writes."""
    try:
        result = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read {path} as JSON: {error}") from error
    if not isinstance(result, dict) or not {"verb", "tables"} <= result.keys():
        said = "it is not what this version's `ppocr-bench VERB --out FILE` writes"
        raise BenchError(f'{path} has no "verb" and "tables": {said}')
    return result


class JsonLines:
    """Objects in a file, one a line, which a later run goes on from; without a file, in memory."""

    def __init__(self, path: Path | None, keys: Sequence[str]) -> None:
        """Read what is there; BenchError where it has other keys."""
        self._path, self.rows = path, list[dict[str, Any]]()
        try:
            texts = path.read_text("utf-8").splitlines() if path and path.is_file() else ()
            self.rows += [{key: row[key] for key in keys} for row in map(json.loads, texts)]
        except (KeyError, TypeError, ValueError) as error:
            raise BenchError(f"{path} was not written by --resume: {error!r}") from error

    def add(self, row: dict[str, Any]) -> None:
        """Keep one more."""
        self.rows.append(row)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


class Table(NamedTuple):
    """Rows of text and figures; None stands where nothing was measured.

    Only the columns of `keys` are printed, and nothing of a table without any.
    """

    rows: Sequence[Row]
    keys: Sequence[str] = ()
    caption: str = ""


class Chart(NamedTuple):
    """Lines over one table: the keys `y` over the key `x`, lines apart by the key `series`."""

    table: str
    x: str
    y: Sequence[str]
    caption: str
    series: str = ""


@dataclass(frozen=True)
class Result:
    """What a verb hands to the command line.

    Attributes:
        summary: the outcome in a sentence.
        ok: the verdict; None where nothing is judged.
        settings: what was measured, and single figures, by name.
        tables: by name.
        charts: how `report` draws them.
        notes: what to know about the figures.
    """

    summary: str
    ok: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    charts: Sequence[Chart] = ()
    notes: Sequence[str] = ()

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Result:
        """What `to_dict` wrote, whatever else stands beside it."""
        own = {one.name: saved[one.name] for one in fields(cls)}
        tables = {name: Table(**table) for name, table in own["tables"].items()}
        return cls(**own | {"tables": tables, "charts": [Chart(**one) for one in own["charts"]]})

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        tables = {name: table._asdict() for name, table in self.tables.items()}
        return {**vars(self), "tables": tables, "charts": [one._asdict() for one in self.charts]}

    def lines(self) -> list[str]:
        """The same for a terminal."""
        shown = []
        for table in self.tables.values():
            shown += [*filter(None, [table.caption]), *print_table(table), ""] if table.keys else []
        judged = {None: "", True: "PASS: ", False: "FAIL: "}[self.ok]
        return [*shown, *(f"note: {note}" for note in self.notes), judged + self.summary]


def cells(table: Table) -> tuple[list[str], list[list[str]], list[bool]]:
    """Headings, rows as text, and whether a column holds words; empty columns are left out."""
    keys = [key for key in table.keys if any(row.get(key) is not None for row in table.rows)]
    rows = [[number(row.get(key)) for key in keys] for row in table.rows]
    words = [any(isinstance(row.get(key), str) for row in table.rows) for key in keys]
    return [heading(key) for key in keys], rows, words


def heading(key: str) -> str:
    """A key for people: units are written as such."""
    units = {"_percent": " %", "_per_second": "/s", "_mib": " MiB", "_gib": " GiB"}
    for end, unit in units.items():
        key = key.removesuffix(end) + unit if key.endswith(end) else key
    return key.replace("_", " ")


def print_table(table: Table) -> list[str]:
    """Lines of text: words aligned to the left, numbers to the right."""
    head, rows, words = cells(table)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(row, widths, words, strict=True)
        ).rstrip()
        for row in (head, *rows)
    ]


def number(value: object) -> str:
    """A value as a cell: numbers to three digits, thousands grouped, nothing as a dash."""
    if isinstance(value, list):
        return ", ".join(map(number, value))
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.3g}"


class BenchError(Exception):
    """A benchmark could not be run; the message says what is missing and what to do.

    Differences that a benchmark finds are its result, not an error.
    """
