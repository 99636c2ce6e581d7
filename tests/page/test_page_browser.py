"""The gateway's web page in a real browser, used with mouse and keyboard."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pypdfium2 as pdfium
import pytest
from client.samples import STRIP, TEXTS
from paths import SAMPLES, SIGN
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import eventually

from ppocr_client.errors import MissingExtra, connection_error
from ppocr_client.options import OPTIONS
from ppocr_pipeline.crop import whole_picture
from ppocr_pipeline.detection import squeeze_warnings
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.recognition import RecognitionPlan, line_warnings
from ppocr_pipeline.tiles.plan import plan_det
from ppocr_server.gateway.app import too_large

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
if not PROGRAM:
    pytest.skip("no Chromium is installed", allow_module_level=True)

pytestmark = pytest.mark.server
expect.set_options(timeout=60_000)

POSTER = SAMPLES / "poster_zh.jpg"
PHONE = {"width": 360, "height": 740}
SECOND_WORD = "递"  # of the example's first line
DOUBLE_CLICK = """(() => {
  const [, word] = document.querySelectorAll('#overlay path');
  const { x, y, width, height } = word.getBoundingClientRect();
  const at = { clientX: x + width / 2, clientY: y + height / 2, bubbles: true };
  document.querySelector('#overlay polygon').dispatchEvent(new MouseEvent('dblclick', at));
})()"""

# Every text's colour against what lies behind it, by WCAG 2; those below 4.5 with their ratio.
FAINT = Path(__file__).with_name("faint.js").read_text("utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=PROGRAM, args=["--disable-quic"])


@pytest.fixture
def open_page(browser, page) -> Iterator[Callable[..., Page]]:
    """Open the page and wait until it knows its server; the browser must complain of nothing."""
    contexts, complaints = [], []

    def opened(**preferences) -> Page:
        allowed = ["clipboard-read", "clipboard-write"]
        contexts.append(browser.new_context(permissions=allowed, **preferences))
        contexts[-1].set_default_timeout(60_000)
        tab = contexts[-1].new_page()
        tab.on("console", lambda said: complaints.append((said.type, said.text)))
        tab.on("pageerror", lambda error: complaints.append(("error", str(error))))
        tab.goto(page)
        expect(tab.locator("#server")).to_have_attribute("data-ready", "true")
        return tab

    yield opened
    for context in contexts:
        context.close()
    # That an answer had the status of an error is the browser's own note.
    levels, note = ("error", "warning", "assert"), ("status of 400", "status of 503")
    assert [x for x in complaints if x[0] in levels and not any(n in x[1] for n in note)] == []


def marked(tab: Page) -> list[int]:
    """Which box and which line are marked, counted from 0."""
    return tab.evaluate(
        "['#overlay polygon', '#lines li'].flatMap((all) => [...document.querySelectorAll(all)]"
        ".flatMap((node, index) => node.classList.contains('on') ? [index] : []))"
    )


def copied(tab: Page) -> str:
    return tab.evaluate("navigator.clipboard.readText()")


def test_a_chosen_picture_with_mouse_and_keyboard(open_page, samples):
    tab = open_page()
    tab.set_input_files("#files", POSTER)
    expect(tab.locator("#lines li")).to_have_count(len(samples[POSTER.name]))
    assert tab.locator("#overlay polygon").count() == tab.locator("#lines li").count()
    words = tab.locator(".words").all_text_contents()
    assert words[0] == "鲜果集市"
    assert tab.inner_text("#live").endswith(f"{len(words)} lines read")

    tab.hover("#overlay polygon:nth-of-type(3)")
    assert marked(tab) == [2, 2]
    assert tab.inner_text("#tip").startswith(words[2])
    tab.hover("#lines li:nth-child(5)")
    assert marked(tab) == [4, 4]
    tab.hover("h1")
    assert marked(tab) == []

    tab.focus("#download summary")
    tab.keyboard.press("Tab")
    assert marked(tab) == [0, 0]
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    assert marked(tab) == [2, 2]
    tab.keyboard.press("End")
    assert marked(tab) == [len(words) - 1] * 2

    tab.keyboard.press("Control+c")
    expect(tab.locator("#live")).to_have_text("Copied")
    assert copied(tab) == words[-1]
    tab.keyboard.press("Tab")  # from the line to its own button
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "timing-sum"
    tab.click("#copy-all")
    assert eventually(lambda: len(copied(tab).split("\n")) == len(words), 120)

    before = tab.locator("#frame").bounding_box()["width"]
    tab.click("#zoom-in")
    assert tab.locator("#frame").bounding_box()["width"] > before
    tab.click("#fit")
    assert tab.locator("#frame").bounding_box()["width"] == before
    tab.evaluate("document.querySelector('#timing').open = true")
    steps = tab.locator("#steps th").all_text_contents()
    assert steps[:2] == ["whole request", "ocr"]
    assert {"det_preprocess", "det", "det_postprocess", "recognize", "rec"} <= set(steps)


def test_a_dropped_pdf_of_two_pages_and_its_downloads(open_page, tmp_path):
    sign = Image.open(SIGN)
    sign.save(tmp_path / "two.pdf", save_all=True, append_images=[sign], resolution=200)
    tab = open_page()
    session = tab.context.new_cdp_session(tab)
    files = {"items": [], "files": [str(tmp_path / "two.pdf")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": files})
    expect(tab.locator(".page[data-state=done]")).to_have_count(2)
    assert tab.inner_text("#page-number") == "1 / 2"
    tab.click("#next")
    assert tab.inner_text("#page-number") == "2 / 2"
    assert tab.is_disabled("#next")
    assert tab.locator("[aria-current]").count() == 1
    expect(tab.locator("#lines li")).to_have_count(2)
    got = {}
    for button in tab.locator("#formats button").all():
        tab.click("#download summary")
        with tab.expect_download() as download:
            button.click()
        suffix = Path(download.value.suggested_filename).suffix
        got[suffix] = download.value.path().read_bytes()
    texts = {".txt", ".json", ".jsonl", ".md", ".tsv", ".hocr", ".xml"}
    assert set(got) == {*texts, ".pdf", ".png"}
    pages = json.loads(got[".json"])["pages"]
    assert [[line["text"] for line in page["lines"]] for page in pages] == [TEXTS, TEXTS]
    for suffix in (".xml", ".hocr"):
        ElementTree.fromstring(got[suffix])
    second = pdfium.PdfDocument(got[".pdf"])[1]
    assert "OPEN TODAY" in second.get_textpage().get_text_range()
    assert Image.open(io.BytesIO(got[".png"])).size == (2 * sign.width, sign.height)


@pytest.fixture
def broken(tmp_path) -> Path:
    """A file that begins as a JPEG and has nothing that a browser could show."""
    path = tmp_path / "broken.jpg"
    path.write_bytes(SIGN.read_bytes()[:60])
    return path


def test_an_example_bad_files_and_something_pasted(open_page, tmp_path, broken):
    (tmp_path / "notes.png").write_text("no picture")
    tab = open_page()
    tab.set_input_files("#files", tmp_path / "notes.png")
    expect(tab.locator("#alert")).to_contain_text("notes.png is not a JPEG")
    assert tab.locator(".document").count() == 0  # it was not uploaded
    tab.click("#example")
    expect(tab.locator("#lines")).to_contain_text("Waybill")
    assert tab.locator("#lines li").count() > 10
    tab.set_input_files("#files", broken)
    expect(tab.locator("#state")).to_have_attribute("data-state", "failed")
    assert "The picture is a damaged or truncated JPEG" in tab.inner_text("#state p")
    assert "broken.jpg failed" in tab.text_content("#alert")
    expect(tab.locator("#unseen")).to_be_visible()
    assert tab.inner_text("#unseen") == "The browser cannot show this picture."
    shown = "[...document.images].filter((n) => n.checkVisibility())"
    assert eventually(lambda: tab.evaluate(f"{shown}.every((n) => n.naturalWidth > 0)"), 120)
    assert tab.is_disabled("#copy-all")
    assert tab.locator("#state button").count() == 0  # it would be refused again
    tab.click(".document:nth-child(2) .head button")
    assert tab.inner_text("#title") == "example.jpg"
    tab.evaluate(
        "fetch('example.jpg').then((answer) => answer.blob()).then((blob) => {"
        "const data = new DataTransfer(); data.items.add(new File([blob], 'shot.png'));"
        "dispatchEvent(new ClipboardEvent('paste', { clipboardData: data })); })"
    )
    expect(tab.locator(".page[data-state=done]")).to_have_count(2)
    assert tab.inner_text("#title") == "shot.png"


def test_what_did_not_answer_can_be_tried_again(open_page):
    tab = open_page()
    busy = {"error": {"code": "busy", "message": "Triton is full"}}
    tab.route("**/read", lambda route: route.fulfill(status=503, json=busy), times=1)
    tab.set_input_files("#files", SIGN)
    expect(tab.locator("#state p")).to_have_text("Triton is full")
    tab.click("#state button")
    expect(tab.locator("#state")).to_have_attribute("data-state", "done")


def test_the_words_of_a_line_are_outlined_and_copied(open_page):
    tab = open_page()
    tab.click("#example")
    tab.hover("#lines li:nth-child(1)")
    expect(tab.locator("#overlay path").nth(1)).to_be_attached()
    # A double click on one of them copies it alone.
    tab.evaluate(DOUBLE_CLICK)
    assert eventually(lambda: copied(tab) == SECOND_WORD, 120)
    tab.hover("h1")
    expect(tab.locator("#overlay path")).to_have_count(0)


def test_options_change_what_is_read(open_page):
    tab = open_page()
    tab.set_input_files("#files", SIGN)
    expect(tab.locator("#lines li")).to_have_count(2)
    tab.click("#open-options")
    assert tab.locator("#fields .field").count() == len(OPTIONS)
    names = tab.locator("#fields label").all_inner_texts()
    assert len(set(names)) == len(OPTIONS)
    assert "Lowest line score" in names[list(OPTIONS).index("drop_score")]
    tab.fill("#option-drop_score", "7")
    tab.click("#apply-options")
    assert tab.evaluate("document.querySelector('#options').open")  # the browser says what is wrong
    tab.fill("#option-drop_score", "1")
    tab.click("#apply-options")
    expect(tab.locator("#state")).to_have_text("No text was found.")
    assert tab.locator("#overlay polygon").count() == 0
    tab.click("#open-options")
    tab.click("#reset-options")
    tab.select_option("#option-det_limit_type", "min")
    tab.keyboard.press("Escape")
    expect(tab.locator("#options")).to_be_hidden()
    tab.click("#open-options")
    tab.click("#apply-options")
    expect(tab.locator("#lines li")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_contrast_and_a_small_screen(open_page, scheme):
    tab = open_page(viewport=PHONE, is_mobile=True, color_scheme=scheme)

    def check() -> None:
        assert tab.evaluate(FAINT) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    check()
    tab.set_input_files("#files", [SIGN, SIGN])
    expect(tab.locator(".page[data-state=done]")).to_have_count(2)
    tab.evaluate("document.querySelector('#timing').open = true")
    check()
    session = tab.context.new_cdp_session(tab)
    for node in session.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if role in ("button", "image", "DisclosureTriangle") and not node["ignored"]:
            decoration = role == "image" and not node.get("name", {}).get("value")
            assert decoration or node["name"]["value"], node
    tab.click("#open-options")
    check()


def test_it_speaks_chinese_to_those_who_do(open_page):
    tab = open_page(locale="zh-CN")
    assert tab.get_attribute("html", "lang") == "zh-CN"
    assert tab.inner_text("#choose") == "选择文件"
    tab.click("#open-options")
    assert tab.inner_text("label[for=option-drop_score]").split() == ["最低行得分", "drop_score"]
    help_text = tab.inner_text("#option-drop_score-help")
    assert help_text == "置信度低于此值的行不返回（0\u00a0–\u00a01）"


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
    tab.set_input_files("#files", tmp_path / "strip.bmp")
    expect(tab.locator("#state p")).to_have_count(2)
    assert "squeezed 3.8 times" in tab.inner_text("#state p:last-child")


def test_errors_are_chinese_too(open_page, broken):
    tab = open_page(locale="zh-CN")
    tab.set_input_files("#files", broken)
    expect(tab.locator("#state")).to_have_attribute("data-state", "failed")
    assert tab.inner_text("#state p") == "JPEG 文件已损坏或不完整，请提供完整的文件。"
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
