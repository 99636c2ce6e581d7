"""What no file of this project does, found in their syntax."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "client", "converters", "server", "benchmarks")
FOLDERS = (*PACKAGES, "model_repository", "docker")
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.endswith("_pb2.py")
)
# Modules that run what they read, or read XML as attackers like it.
MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib", "cloudpickle"}
PARSERS = {"xml.sax", "xml.dom", "xml.dom.minidom", "xml.parsers.expat", "xmlrpc.server"}
READS_XML = {"parse", "iterparse", "fromstring", "fromstringlist", "XML", "XMLParser"}
RUNS = {"eval", "exec", "compile", "__import__"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
LOADS = {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "torch.load"}
LOADS |= {"paddle.load", "tempfile.mktemp", "ssl._create_unverified_context"}


def dotted(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


def imports_what_runs(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {node.module or ""}
        else:
            continue
        yield from names & (MODULES | PARSERS)


def evaluates(tree: ast.AST) -> Iterator[str]:
    yield from (name for name, _ in calls(tree) if name in RUNS)


def opens_a_shell(tree: ast.AST) -> Iterator[str]:
    for name, call in calls(tree):
        shell = keyword(call, "shell")
        if name in SHELLS or not (shell is None or dotted_false(shell)):
            yield name


def dotted_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def loads_objects(tree: ast.AST) -> Iterator[str]:
    for name, call in calls(tree):
        if name in LOADS:
            yield name
        if name in ("np.load", "numpy.load"):
            pickled = keyword(call, "allow_pickle")
            if pickled is not None and not dotted_false(pickled):
                yield name


def extracts_to_paths_of_an_archive(tree: ast.AST) -> Iterator[str]:
    yield from (name for name, _ in calls(tree) if name.endswith((".extractall", ".extract")))
    yield from (name for name, _ in calls(tree) if name == "shutil.unpack_archive")


def reads_xml(tree: ast.AST) -> Iterator[str]:
    for name, _ in calls(tree):
        module, _, function = name.rpartition(".")
        if function in READS_XML and module.split(".")[-1] in ("ElementTree", "ET", "etree"):
            yield name


def trusts_every_certificate(tree: ast.AST) -> Iterator[str]:
    for name, call in calls(tree):
        verify = keyword(call, "verify")
        if verify is not None and dotted_false(verify):
            yield name


RULES = (
    imports_what_runs,
    evaluates,
    opens_a_shell,
    loads_objects,
    extracts_to_paths_of_an_archive,
    reads_xml,
    trusts_every_certificate,
)
BAD = {
    "import pickle": imports_what_runs,
    "from xml.dom.minidom import parse": imports_what_runs,
    "eval(text)": evaluates,
    "subprocess.run(text, shell=True)": opens_a_shell,
    "subprocess.run(text, shell=flag)": opens_a_shell,
    "os.system(text)": opens_a_shell,
    "yaml.load(text, Loader=yaml.Loader)": loads_objects,
    "np.load(file, allow_pickle=True)": loads_objects,
    "tar.extractall(folder)": extracts_to_paths_of_an_archive,
    "ElementTree.parse(file)": reads_xml,
    "requests.get(url, verify=False)": trusts_every_certificate,
}

Rule = Callable[[ast.AST], Iterator[str]]


@pytest.mark.parametrize("text", BAD)
def test_the_rules_see_what_they_are_for(text: str) -> None:
    assert list(BAD[text](ast.parse(text)))


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.AST]:
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in FILES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_file_breaks_it(rule: Rule, trees: dict[str, ast.AST]) -> None:
    assert {name.partition("/")[0] for name in trees} == set(FOLDERS)
    assert len(trees) > 200
    found = {name: broken for name, tree in trees.items() if (broken := list(rule(tree)))}
    assert found == {}
