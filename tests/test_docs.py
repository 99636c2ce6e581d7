"""The pages: links, Chinese pages and their punctuation, tables that repeat what the code says."""

import contextlib
import io
import re
from functools import cache
from importlib.metadata import entry_points, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from paths import ROOT

from ppocr_pipeline.options import OPTIONS, Choice, Number

FOLDERS = ("", "docs", "docker", "samples")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
IN_CHINESE = [page for page in PAGES if page.stem.endswith("_CN")]
NOT_TRANSLATED = {"THIRD_PARTY_NOTICES.md"}
DRAWN = {"ARCHITECTURE_CN.md"}  # its block is a drawing with words in it
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+).+?\1")
LINK = re.compile(r"\]\(([^)\s]+)\)")
CHINESE = "[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]"
HALF_WIDTH = re.compile(rf"{CHINESE}\s?[,;:!?()\"]|[,;:!?()\"]\s?{CHINESE}|{CHINESE}\.(?=\s|$)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its blocks and spans of code."""
    return CODE.sub("code", FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings can be reached by, as GitHub makes them."""
    text = FENCE.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(prose(page)):
        path, _, fragment = link.partition("#")
        if "://" in path:
            continue
        target = page if not path else (page.parent / path).resolve()
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_english_and_chinese_pages_come_in_pairs_and_link_to_each_other(page):
    if page.name in NOT_TRANSLATED:
        return
    chinese = page.stem.endswith("_CN")
    stem = page.stem.removesuffix("_CN") if chinese else f"{page.stem}_CN"
    other = page.with_name(f"{stem}.md")
    assert other.exists()
    assert f"({other.name})" in page.read_text("utf-8")


@pytest.mark.parametrize("page", IN_CHINESE, ids=name)
def test_chinese_text_has_full_width_punctuation(page):
    text = re.sub(r"\]\([^)\s]+\)|https?://\S+", "]", prose(page))
    found = [text[max(0, m.start() - 12) : m.end() + 12] for m in HALF_WIDTH.finditer(text)]
    assert found == []


@pytest.mark.parametrize("page", IN_CHINESE, ids=name)
def test_tables_of_both_languages_name_the_same_things_row_by_row(page):
    def rows(page: Path) -> list[set[str]]:
        """What stands as code in each row of the page's tables."""
        table_rows = re.findall(r"^\|.*$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
        return [{span[0] for span in CODE.finditer(row)} for row in table_rows]

    assert rows(page) == rows(page.with_name(f"{page.stem.removesuffix('_CN')}.md"))


@pytest.mark.parametrize("page", [page for page in IN_CHINESE if page.name not in DRAWN], ids=name)
def test_code_is_the_same_in_both_languages_but_for_its_comments(page):
    def blocks(page: Path) -> list[str]:
        return [re.sub(" *# .*", "", one[0]) for one in FENCE.finditer(page.read_text("utf-8"))]

    assert blocks(page) == blocks(page.with_name(f"{page.stem.removesuffix('_CN')}.md"))


def test_the_index_names_every_page():
    for index in (ROOT / "docs" / "index.md", ROOT / "docs" / "index_CN.md"):
        linked = {(index.parent / link).resolve() for link in LINK.findall(prose(index))}
        chinese = index.stem.endswith("_CN")
        wanted = {page for page in PAGES if page.stem.endswith("_CN") == chinese}
        assert wanted - linked - {index} - {ROOT / each for each in NOT_TRANSLATED} == set()


@pytest.mark.parametrize("name", ["requests.md", "requests_CN.md"])
def test_the_table_of_options_says_what_the_pipeline_allows(name):
    text = (ROOT / "docs" / name).read_text("utf-8")
    rows = {
        row[0]: row for row in re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    }
    assert rows.keys() == OPTIONS.keys()
    for option, (_, default, allowed) in rows.items():
        rule = OPTIONS[option]
        if isinstance(rule, Number):
            assert default == f"{rule.default:g}"
            assert re.match(rf"{rule.low:g} – {rule.high:g}(?![\d.])", allowed)
        elif isinstance(rule, Choice):
            assert default == f"`{rule.default}`"
            assert all(f"`{word}`" in allowed for word in rule.words)
        else:
            assert str(rule.default).lower() in default


def test_the_notices_name_every_package_that_an_extra_asks_for():
    text = (ROOT / "THIRD_PARTY_NOTICES.md").read_text("utf-8")
    named = {canonicalize_name(row) for row in re.findall(r"^\| ([\w.-]+) \|", text, re.MULTILINE)}
    for line in requires("ppocr-triton") or []:
        requirement = Requirement(line)
        asked = {"dev", "fuzz", "release"} & set(
            re.findall(r'extra == "(\w+)"', str(requirement.marker))
        )
        if not asked and requirement.name != "ppocr-triton":
            assert canonicalize_name(requirement.name) in named


def test_the_size_of_a_demo_is_told_alike_everywhere():
    said = {}
    for name in ("Makefile", "README.md", "README_CN.md", "docs/install.md", "docs/install_CN.md"):
        text = (ROOT / name).read_text("utf-8")
        found = re.findall(r"(\d+) (?:packages|个软件包).*?(\d+) MB.*?([\d.]+) GB", text, re.DOTALL)
        said[name] = found[0] if found else None
    assert set(said.values()) == {said["Makefile"]}
    assert said["Makefile"]


COMMAND = re.compile(r"\b(ppocr-[a-z]+)((?: [a-z][a-z-]*(?![\w=./:-]))*)((?: [^\n`|;&#()，。]+)?)")
PROGRAMS = {one.name: one for one in entry_points(group="console_scripts")}


@cache
def help_of(program: str, *words: str) -> str:
    """What a command says of its options; nothing of one that there is not."""
    said = io.StringIO()
    streams = contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO())
    with streams[0], streams[1], contextlib.suppress(SystemExit):
        PROGRAMS[program].load()([*words, "--help"])
    return said.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_options_in_commands_exist(page):
    text = page.read_text("utf-8").replace("\\\n", " ") if "CHANGELOG" not in page.name else ""
    for program, words, rest in COMMAND.findall(text):
        if program in PROGRAMS:
            said = help_of(program, *words.split())
            given = re.findall(r" (--[a-z][a-z-]+)", rest.partition(" -- ")[0])
            assert [one for one in given if not re.search(rf"{one}(?![a-z-])", said)] == [], words
