"""The gateway's web page in a real browser, used with mouse and keyboard."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pypdfium2 as pdfium
import pytest
from chromium import CONTROL, PROGRAM, Browser, Tab
from client.samples import SAMPLES, SIGN, STRIP, TEXTS, wait_until
from PIL import Image

from ppocr_client.errors import MissingExtra, connection_error
from ppocr_client.options import OPTIONS
from ppocr_pipeline.crop import whole_picture
from ppocr_pipeline.detection import squeeze_warnings
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.recognition import RecognitionPlan, line_warnings
from ppocr_pipeline.tiles.plan import plan_det
from ppocr_server.gateway.middleware import too_large

if not PROGRAM:
    pytest.skip("no Chromium is installed", allow_module_level=True)

pytestmark = pytest.mark.server

POSTER = SAMPLES / "poster_zh.jpg"
PHONE = (360, 740)
SECOND_WORD = "递"  # of the example's first line
DOUBLE_CLICK = """(() => {
  const [, word] = document.querySelectorAll('#overlay path');
  const { x, y, width, height } = word.getBoundingClientRect();
  const at = { clientX: x + width / 2, clientY: y + height / 2, bubbles: true };
  document.querySelector('#overlay polygon').dispatchEvent(new MouseEvent('dblclick', at));
})()"""

# Every text's colour against what lies behind it, by WCAG 2; those below 4.5 with their ratio.
FAINT = """
(() => {
  const parts = (css) => css.match(/[\\d.]+/g).map(Number);
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parts(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const shown = node.checkVisibility({ opacityProperty: true });
    if (!own || !shown || node.closest(":disabled, .disabled, .unseen, .toast")) continue;
    const a = light(parts(getComputedStyle(node).color)), b = light(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${node.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    running = Browser(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture
def open_page(browser, page) -> Iterator[Callable[..., Tab]]:
    """Open the page and wait until it knows its server; it must have complained of nothing."""
    tabs: list[Tab] = []

    def opened(**preferences) -> Tab:
        tab = Tab(browser, page, **preferences)
        tab.wait("document.querySelector('#server').dataset.ready === 'true'")
        tabs.append(tab)
        return tab

    yield opened
    for tab in tabs:
        tab.close()


def number(tab: Tab, selector: str) -> int:
    return tab.evaluate(f"document.querySelectorAll({selector!r}).length")


def text(tab: Tab, selector: str) -> str:
    return tab.evaluate(f"document.querySelector({selector!r}).innerText")


def wait_for_lines(tab: Tab, count: int) -> None:
    tab.wait(f"document.querySelectorAll('#lines li').length === {count}")


def marked(tab: Tab) -> list[int]:
    """Which box and which line are marked, counted from 0."""
    return tab.evaluate(
        "['#overlay polygon', '#lines li'].flatMap((all) => [...document.querySelectorAll(all)]"
        ".flatMap((node, index) => node.classList.contains('on') ? [index] : []))"
    )


def test_a_chosen_picture_with_mouse_and_keyboard(open_page, browser, samples):
    tab = open_page()
    tab.choose_files("#files", POSTER)
    wait_for_lines(tab, len(samples[POSTER.name]))
    assert number(tab, "#overlay polygon") == number(tab, "#lines li")
    words = tab.evaluate("[...document.querySelectorAll('.words')].map((n) => n.textContent)")
    assert words[0] == "鲜果集市"
    assert text(tab, "#live").endswith(f"{len(words)} lines read")

    tab.point("#overlay polygon:nth-of-type(3)")
    assert marked(tab) == [2, 2]
    assert text(tab, "#tip").startswith(words[2])
    tab.point("#lines li:nth-child(5)")
    assert marked(tab) == [4, 4]
    tab.point("h1")
    assert marked(tab) == []

    tab.evaluate("document.querySelector('#download summary').focus()")
    tab.press("Tab")
    assert marked(tab) == [0, 0]
    tab.press("ArrowDown")
    tab.press("ArrowDown")
    assert marked(tab) == [2, 2]
    tab.press("End")
    assert marked(tab) == [len(words) - 1] * 2

    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.send("Browser.grantPermissions", permissions=allowed)
    tab.press("c", CONTROL)
    tab.wait("document.querySelector('#live').textContent === 'Copied'")
    assert tab.evaluate("navigator.clipboard.readText()") == words[-1]
    tab.press("Tab")  # from the line to its own button
    tab.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "timing-sum"
    tab.click("#copy-all")
    tab.wait(f"navigator.clipboard.readText().then((t) => t.split('\\n').length === {len(words)})")

    before = tab.evaluate("document.querySelector('#frame').offsetWidth")
    tab.click("#zoom-in")
    assert tab.evaluate("document.querySelector('#frame').offsetWidth") > before
    tab.click("#fit")
    assert tab.evaluate("document.querySelector('#frame').offsetWidth") == before
    tab.evaluate("document.querySelector('#timing').open = true")
    steps = tab.evaluate("[...document.querySelectorAll('#steps th')].map((n) => n.textContent)")
    assert steps[:2] == ["whole request", "ocr"]
    assert {"det_preprocess", "det", "det_postprocess", "recognize", "rec"} <= set(steps)
    assert tab.complaints() == []


def download(tab: Tab, folder: Path, index: int) -> tuple[str, bytes]:
    """The suffix and the content of the file that a button of the menu downloads."""

    def whole() -> list[Path]:  # the browser renames a file when it has all of it
        return [path for path in folder.iterdir() if path.suffix != ".crdownload"]

    tab.evaluate("document.querySelector('#download').open = true")
    tab.click(f"#formats button:nth-child({index})")
    wait_until(whole)
    (path,) = whole()
    content = path.read_bytes()
    path.unlink()
    return path.suffix, content


def test_a_dropped_pdf_of_two_pages_and_its_downloads(open_page, browser, tmp_path):
    sign = Image.open(SIGN)
    sign.save(tmp_path / "two.pdf", save_all=True, append_images=[sign], resolution=200)
    tab = open_page()
    tab.drop_files(tmp_path / "two.pdf")
    tab.wait("document.querySelectorAll('.page[data-state=done]').length === 2")
    assert text(tab, "#page-number") == "1 / 2"
    tab.click("#next")
    assert text(tab, "#page-number") == "2 / 2"
    assert tab.evaluate("document.querySelector('#next').disabled")
    assert tab.evaluate("document.querySelectorAll('[aria-current]').length") == 1
    wait_for_lines(tab, 2)
    folder = tmp_path / "got"
    folder.mkdir()
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    buttons = number(tab, "#formats button")
    got = dict(download(tab, folder, index) for index in range(1, buttons + 1))
    assert set(got) == {
        f".{name}" for name in ["txt", "json", "jsonl", "md", "tsv", "hocr", "xml", "pdf", "png"]
    }
    pages = json.loads(got[".json"])["pages"]
    assert [[line["text"] for line in page["lines"]] for page in pages] == [TEXTS, TEXTS]
    for suffix in (".xml", ".hocr"):
        ElementTree.fromstring(got[suffix])
    second = pdfium.PdfDocument(got[".pdf"])[1]
    assert "OPEN TODAY" in second.get_textpage().get_text_range()
    assert Image.open(io.BytesIO(got[".png"])).size == (2 * sign.width, sign.height)
    assert tab.complaints() == []


@pytest.fixture
def broken(tmp_path) -> Path:
    """A file that begins as a JPEG and has nothing that a browser could show."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(SIGN.read_bytes()[:60])
    return path


FAILED = "document.querySelector('#state').dataset.state === 'failed'"


def test_an_example_bad_files_and_something_pasted(open_page, tmp_path, broken):
    (tmp_path / "notes.png").write_text("no picture")
    tab = open_page()
    tab.choose_files("#files", tmp_path / "notes.png")
    tab.wait("document.querySelector('#alert').textContent.startsWith('notes.png is not a JPEG')")
    assert number(tab, ".document") == 0  # it was not uploaded
    tab.click("#example")
    tab.wait("document.querySelectorAll('#lines li').length > 10")
    assert "Waybill" in text(tab, "#lines")
    tab.choose_files("#files", broken)
    tab.wait(FAILED)
    assert "IMAGE is a damaged or truncated JPEG" in text(tab, "#state p")
    assert "broken.jpg failed" in tab.evaluate("document.querySelector('#alert').textContent")
    tab.wait("!document.querySelector('#unseen').hidden")
    assert text(tab, "#unseen") == "The browser cannot show this picture."
    shown = "[...document.images].filter((n) => n.checkVisibility())"
    tab.wait(f"{shown}.every((n) => n.naturalWidth > 0)")
    assert tab.evaluate("document.querySelector('#copy-all').disabled")
    tab.click("#state button")
    tab.wait(FAILED)
    tab.click(".document:nth-child(2) .head button")
    assert text(tab, "#title") == "example.jpg"
    tab.evaluate(
        "fetch('example.jpg').then((answer) => answer.blob()).then((blob) => {"
        "const data = new DataTransfer(); data.items.add(new File([blob], 'shot.png'));"
        "dispatchEvent(new ClipboardEvent('paste', { clipboardData: data })); })"
    )
    tab.wait("document.querySelectorAll('.page[data-state=done]').length === 2")
    assert text(tab, "#title") == "shot.png"
    # The browser itself notes that an answer had the status 400, and nothing else.
    assert all("status of 400" in complaint for complaint in tab.complaints())


def test_the_words_of_a_line_are_outlined_and_copied(open_page, browser):
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.send("Browser.grantPermissions", permissions=allowed)
    tab = open_page()
    tab.click("#example")
    tab.wait("document.querySelectorAll('#lines li').length > 0")
    tab.point("#lines li:nth-child(1)")
    tab.wait("document.querySelectorAll('#overlay path').length > 1")
    # A double click on one of them copies it alone.
    tab.evaluate(DOUBLE_CLICK)
    tab.wait(f"navigator.clipboard.readText().then((text) => text === {SECOND_WORD!r})")
    tab.point("h1")
    tab.wait("document.querySelectorAll('#overlay path').length === 0")


def test_options_change_what_is_read(open_page):
    tab = open_page()
    tab.choose_files("#files", SIGN)
    wait_for_lines(tab, 2)
    tab.click("#open-options")
    assert number(tab, "#fields .field") == len(OPTIONS)
    names = tab.evaluate("[...document.querySelectorAll('#fields label')].map((n) => n.innerText)")
    assert len(set(names)) == len(OPTIONS)
    assert "Lowest line score" in names[list(OPTIONS).index("drop_score")]
    tab.evaluate("document.querySelector('#option-drop_score').value = 7")
    tab.click("#apply-options")
    assert tab.evaluate("document.querySelector('#options').open")  # the browser says what is wrong
    tab.evaluate("document.querySelector('#option-drop_score').value = 1")
    tab.click("#apply-options")
    tab.wait("document.querySelector('#state').innerText === 'No text was found.'")
    assert number(tab, "#overlay polygon") == 0
    tab.click("#open-options")
    tab.click("#reset-options")
    tab.evaluate("document.querySelector('#option-det_limit_type').value = 'min'")
    tab.press("Escape")
    tab.wait("!document.querySelector('#options').open")
    tab.click("#open-options")
    tab.click("#apply-options")
    wait_for_lines(tab, 2)
    assert tab.complaints() == []


@pytest.mark.parametrize("dark", [False, True])
def test_names_contrast_and_a_small_screen(open_page, dark):
    tab = open_page(size=PHONE, dark=dark)
    assert tab.evaluate(FAINT) == []
    tab.choose_files("#files", SIGN, SIGN)
    tab.wait("document.querySelectorAll('.page[data-state=done]').length === 2")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    tab.evaluate("document.querySelector('#timing').open = true")
    assert tab.evaluate(FAINT) == []
    tab.send("Accessibility.enable")
    for node in tab.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if role in ("button", "image", "DisclosureTriangle") and not node["ignored"]:
            decoration = role == "image" and not node.get("name", {}).get("value")
            assert decoration or node["name"]["value"], node
    tab.click("#open-options")
    assert tab.evaluate(FAINT) == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert tab.complaints() == []


def test_it_speaks_chinese_to_those_who_do(open_page):
    tab = open_page(language="zh-CN")
    assert tab.evaluate("document.documentElement.lang") == "zh-CN"
    assert text(tab, "#choose") == "选择文件"
    tab.click("#open-options")
    assert text(tab, "label[for=option-drop_score]").split() == ["最低行得分", "drop_score"]
    assert text(tab, "#option-drop_score-help") == "置信度低于此值的行不返回（0\u00a0–\u00a01）"
    assert tab.complaints() == []


def warnings() -> list[str]:
    """One of each kind."""
    options, plan, limits = parse_options({}), RecognitionPlan(48, (320,), 1), Limits()
    sizes = ((120, 3600), (48, 992))
    boxes = whole_picture(np.zeros((48, 9000, 3), np.uint8))
    of_lines = line_warnings(boxes, plan.batches(boxes, options, limits), plan, options)
    pictures = [np.zeros((*size, 3), np.uint8) for size in sizes]
    plans = [plan_det(one, parse_options({"det_limit_type": "max"}), limits) for one in pictures]
    return [
        *of_lines,
        *(squeeze_warnings(*one)[0] for one in zip(sizes, plans, strict=True)),
        squeeze_warnings(sizes[0], replace(plans[0], too_small=True))[0],
    ]


def test_a_squeezed_picture_is_told(open_page, tmp_path):
    (tmp_path / "strip.bmp").write_bytes(STRIP)
    tab = open_page()
    tab.choose_files("#files", tmp_path / "strip.bmp")
    tab.wait("document.querySelectorAll('#state p').length === 2")
    assert "squeezed 3.8 times" in text(tab, "#state p:last-child")


def test_errors_are_chinese_too(open_page, broken):
    tab = open_page(language="zh-CN")
    tab.choose_files("#files", broken)
    tab.wait(FAILED)
    assert text(tab, "#state p") == "JPEG 文件已损坏或不完整，请提供完整的文件。"
    messages = [
        str(connection_error("grpc://h:1", "Connection refused")),
        "no answer from grpc://h:1 within 60 s",
        "in ensemble: Exceeds maximum queue size",
        str(MissingExtra("PDF files", "pypdfium2", "pdf")),
        "drop_score is 2; allowed: a number from 0 to 1",
        "page 3 of a.pdf has not been read",
        too_large(9, 8).message,
        *warnings(),
    ]
    translated = f"import('./errors.js').then((m) => {json.dumps(messages)}.map(m.inChinese))"
    for message, chinese in zip(messages, tab.evaluate(translated), strict=True):
        assert chinese != message
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
    assert tab.evaluate("import('./errors.js').then((m) => m.inChinese('other'))") == "other"
