"""The folders: which may import which, and how many files of code each may hold."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest
import yaml
from paths import ROOT

#: Where the code of each package lies; the steps in the model repository are none.
FOLDERS = {
    "ppocr_client": "client",
    "ppocr_pipeline": "pipeline/ppocr_pipeline",
    "ppocr_steps": "pipeline/ppocr_steps",
    "ppocr_engine": "pipeline/ppocr_engine",
    "model_repository": "model_repository",
    "ppocr_converters": "converters",
    "ppocr_server": "server",
    "ppocr_bench": "benchmarks",
}
#: What each may import at any time.
MAY_IMPORT: dict[str, set[str]] = {
    "ppocr_client": {"ppocr_pipeline"},  # the table of options
    "ppocr_pipeline": set(),
    "ppocr_steps": {"ppocr_pipeline"},
    "ppocr_engine": set(),
    "model_repository": {"ppocr_pipeline", "ppocr_steps"},
    "ppocr_converters": {"ppocr_engine", "ppocr_pipeline"},
    "ppocr_server": {"ppocr_client", "ppocr_engine", "ppocr_pipeline", "ppocr_steps"},
    "ppocr_bench": {
        "ppocr_client",
        "ppocr_converters",
        "ppocr_engine",
        "ppocr_pipeline",
        "ppocr_server",
    },
}
#: What each may import in functions only: a server starts without the converters.
MAY_IMPORT_LATE: dict[str, set[str]] = {"ppocr_server": {"ppocr_converters"}}
MOST_FILES = 15


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


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package):
    wrong = []
    for path in (ROOT / FOLDERS[package]).rglob("*.py"):
        for module, late in imports(ast.parse(path.read_text("utf-8"))):
            other = module.split(".")[0]
            allowed = MAY_IMPORT[package] | (MAY_IMPORT_LATE.get(package, set()) if late else set())
            if other in FOLDERS and other != package and other not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_no_imports_run_in_a_circle_between_top_folders():
    edges: dict[str, set[str]] = {}
    for package in MAY_IMPORT:
        top = FOLDERS[package].split("/")[0]
        others = MAY_IMPORT[package] | MAY_IMPORT_LATE.get(package, set())
        edges.setdefault(top, set()).update({FOLDERS[o].split("/")[0] for o in others} - {top})
    for top in edges:
        reached, new = set[str](), edges[top]
        while new:
            reached |= new
            new = {further for one in new for further in edges[one]} - reached
        assert top not in reached


@pytest.mark.parametrize("folder", [*dict.fromkeys(FOLDERS.values()), "tests"])
def test_no_folder_holds_more_than_fifteen_files_of_code(folder):
    counts = Counter(path.parent for path in (ROOT / folder).rglob("*.py"))
    full = {str(p.relative_to(ROOT)): n for p, n in counts.items() if n > MOST_FILES}
    assert full == {}


TABLES = sorted((ROOT / "tests").rglob("test_*.yml"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_every_table_of_cases_holds_some_and_is_read_by_its_test(table):
    text, source = table.read_text("utf-8"), table.with_suffix(".py").read_text("utf-8")
    names = re.findall(r"^(\w+):", text, re.MULTILINE)
    assert len(names) == len(set(names))  # of two tables of one name YAML takes the last one
    assert [name for name in names if f'"{name}"' not in source] == []
    assert all(yaml.safe_load(text).values())
