"""What no file of this project does, found in its syntax."""

import ast
import re

import pytest
from paths import ROOT

FOLDERS = ("pipeline", "client", "converters", "server", "benchmarks", "model_repository", "docker")
PATHS = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
FILES = {str(path.relative_to(ROOT)): path for path in PATHS if not path.name.endswith("_pb2.py")}
# What is searched for in every import, call and `a.b`, written out again by `ast.unparse`.
RULES = {
    "imports what runs": r"^(import|from) (.+, )?"
    r"(c?[Pp]ickle|dill|marshal|shelve|joblib|cloudpickle)\b",
    "imports an unsafe parser": r"^(import|from) (.+, )?(xml\.(sax|dom|parsers)|xmlrpc\.server)\b",
    "evaluates": r"^(eval|exec|compile|__import__)\(",
    "opens a shell": r"^(os\.(system|popen)|subprocess\.get(status)?output)\(|\Wshell=(?!False)",
    "loads objects": r"^(yaml\.(load|load_all|unsafe_load|full_load)|(torch|paddle)\.load)\(|"
    r"^(np|numpy)\.load\(.*allow_pickle=(?!False)",
    "trusts a name or a host": r"^(tempfile\.mktemp|ssl\._create_unverified_context)\(",
    "extracts to paths of an archive": r"\.extract(all)?\(|^shutil\.unpack_archive\(",
    "reads XML": r"^(\S+\.)?(ElementTree|ET|etree)\."
    r"(parse|iterparse|fromstring|fromstringlist|XML|XMLParser)\(",
    "trusts every certificate": r"\Wverify=False",
    # Durations and deadlines do not follow it; it can be set.
    "reads the clock on the wall": r"^(\S+\.)?(time\.time(_ns)?|datetime\.(utc)?now|date\.today)$|"
    r"^from time import .*\btime(_ns)?\b",
}
# It looks whether that clock was set, which Triton does not bear.
ALLOWED = {"server/ppocr_server/watch/heartbeats.py": ["reads the clock on the wall"]}
BAD = """
import pickle
import os, pickle
from xml.dom.minidom import parse
eval(text)
subprocess.run(text, shell=True)
subprocess.run(text, shell=flag)
os.system(text)
yaml.load(text, Loader=yaml.Loader)
np.load(file, allow_pickle=True)
tempfile.mktemp()
tar.extractall(folder)
tarfile.open(path, 'r:gz').extractall(folder)
ElementTree.parse(file)
requests.get(url, verify=False)
time.time()
from time import time
datetime.datetime.now()
"""


def broken(source: str) -> list[str]:
    """The rules that a source breaks."""
    kinds = ast.Import | ast.ImportFrom | ast.Call | ast.Attribute
    said = [ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [rule for rule, form in RULES.items() if any(re.search(form, text) for text in said)]


def test_every_rule_sees_what_it_is_for():
    seen = {line: broken(line) for line in BAD.strip().splitlines()}
    assert all(len(rules) == 1 for rules in seen.values()), seen
    assert {rule for (rule,) in seen.values()} == set(RULES)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_breaks_one(folder):
    files = {name: path for name, path in FILES.items() if name.startswith(f"{folder}/")}
    assert files
    found = {name: broken(path.read_text("utf-8")) for name, path in files.items()}
    assert {name: rules for name, rules in found.items() if rules != ALLOWED.get(name, [])} == {}
