"""The folders: which may import which, and how many files of code each may hold."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: The packages of each top folder.
PACKAGES = {
    "client": ("ppocr_client",),
    "pipeline": ("ppocr_engine", "ppocr_pipeline"),
    "converters": ("ppocr_converters",),
    "server": ("ppocr_server",),
    "benchmarks": ("ppocr_bench",),
}
#: The top folders that each may import at any time; and only inside functions, so that a server
#: without the converters starts.
MAY_IMPORT: dict[str, set[str]] = {
    "client": set(),
    "pipeline": set(),
    "model_repository": {"pipeline"},
    "converters": {"pipeline"},
    "server": {"client", "pipeline"},
    "benchmarks": {"client", "pipeline", "converters", "server"},
}
MAY_IMPORT_LATE: dict[str, set[str]] = {"server": {"converters"}}
FOLDER_OF = {package: folder for folder, names in PACKAGES.items() for package in names}
MOST_FILES = 15
#: Still to be split.
TOO_FULL = {
    "benchmarks/ppocr_bench",
    "model_repository/det_preprocess/1",
    "tests/client",
    "tests/converters",
}


def imports(node: ast.AST, *, late: bool = False) -> Iterator[tuple[str, bool]]:
    """The modules that are imported, and whether only in a function or for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.module, late
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from imports(child, late=late or is_function or for_types)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_top_folder_imports_only_what_it_may(folder: str) -> None:
    wrong = []
    for path in (ROOT / folder).rglob("*.py"):
        for module, late in imports(ast.parse(path.read_text("utf-8"))):
            other = FOLDER_OF.get(module.split(".")[0], folder)
            allowed = MAY_IMPORT[folder] | (MAY_IMPORT_LATE.get(folder, set()) if late else set())
            if other != folder and other not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_every_import_that_is_allowed_goes_one_way() -> None:
    """No circle: a folder's imports, those of these, and so on, never come back to it."""
    edges = {f: MAY_IMPORT[f] | MAY_IMPORT_LATE.get(f, set()) for f in MAY_IMPORT}
    for folder in edges:
        reached, new = set(), set(edges[folder])
        while new:
            reached |= new
            new = {further for one in new for further in edges[one]} - reached
        assert folder not in reached


@pytest.mark.parametrize("folder", [*MAY_IMPORT, "tests"])
def test_no_folder_holds_more_files_of_code_than_fit_in_one_look(folder: str) -> None:
    counts = Counter(path.parent for path in (ROOT / folder).rglob("*.py"))
    full = {str(p.relative_to(ROOT)): n for p, n in counts.items() if n > MOST_FILES}
    assert full.keys() <= TOO_FULL
