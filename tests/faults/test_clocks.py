"""Durations and deadlines of this project do not follow the clock on the wall."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("pipeline", "client", "converters", "server", "benchmarks", "model_repository")
# It looks whether that clock was set, which Triton does not bear.
WATCH = ROOT / "server" / "ppocr_server" / "watch" / "wall_clock.py"
# Ways to read the clock on the wall.
WALL = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}


def names_read(source: str) -> Iterator[tuple[int, str]]:
    """Every `a.b` of a source with its line, and what `from a import b` brings as `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield node.lineno, ".".join(ast.unparse(node).split(".")[-2:])
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def wall_clocks(folder: Path) -> list[str]:
    return [
        f"{path}:{line}: {name}"
        for path in sorted(folder.rglob("*.py"))
        if path != WATCH
        for line, name in names_read(path.read_text("utf-8"))
        if name in WALL
    ]


@pytest.mark.parametrize("folder", CODE)
def test_no_other_module_reads_the_clock_on_the_wall(folder: str) -> None:
    assert WATCH.is_file()
    assert any((ROOT / folder).rglob("*.py"))
    assert wall_clocks(ROOT / folder) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time",
        "import datetime\ndatetime.datetime.now()",
    ],
)
def test_a_reading_would_be_found(source: str, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(source)
    assert len(wall_clocks(tmp_path)) == 1
