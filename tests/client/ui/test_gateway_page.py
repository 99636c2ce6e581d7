"""The web page on the gateway, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import PROGRAM, Browser, Tab
from gateway.conftest import gateway_process
from serving import ask, get

from ppocr_server.tritonserver.server import TritonServer

if not PROGRAM:
    pytest.skip("no Chromium is installed", allow_module_level=True)

pytestmark = pytest.mark.server
BOXES = "document.querySelectorAll('#overlay polygon').length"
SECOND_WORD = "递"  # of the example's first line
DOUBLE_CLICK = """(() => {
  const [, word] = document.querySelectorAll('#overlay path');
  const { x, y, width, height } = word.getBoundingClientRect();
  const at = { clientX: x + width / 2, clientY: y + height / 2, bubbles: true };
  document.querySelector('#overlay polygon').dispatchEvent(new MouseEvent('dblclick', at));
})()"""
LINES = "document.querySelectorAll('#lines li').length"


@pytest.fixture(scope="module")
def gateway(server: TritonServer) -> Iterator[str]:
    with gateway_process(f"grpc://{server.grpc_url}") as address:
        yield address


@pytest.fixture
def tab(gateway: str, tmp_path: Path) -> Iterator[Tab]:
    browser = Browser(tmp_path)
    allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.send("Browser.grantPermissions", permissions=allowed)
    opened = Tab(browser, f"http://{gateway}/")
    opened.wait("document.querySelector('#server').dataset.ready === 'true'")
    yield opened
    opened.close()
    browser.close()


def test_the_example_is_read_with_one_click_and_shows_its_words(tab: Tab) -> None:
    tab.click("#example")
    tab.wait(f"{LINES} > 0")
    assert tab.evaluate(f"{BOXES} === {LINES}")
    # The words of a line are outlined while it is pointed at.
    tab.point("#lines li:nth-child(1)")
    tab.wait("document.querySelectorAll('#overlay path').length > 1")
    # A double click on one of them copies it alone.
    tab.evaluate(DOUBLE_CLICK)
    tab.wait(f"navigator.clipboard.readText().then((text) => text === {SECOND_WORD!r})")
    tab.point("h1")
    tab.wait("document.querySelectorAll('#overlay path').length === 0")


def test_the_page_is_protected_and_left_out_where_a_token_is_wanted(
    gateway: str, server: TritonServer, tmp_path: Path
) -> None:
    assert b"<title>ppocr</title>" in get(f"{gateway}/")
    assert ask(gateway, "GET", "/about", headers={"Origin": "https://elsewhere.org"})[0] == 403
    assert ask(gateway, "GET", "/about", headers={"Host": "rebound.example"})[0] == 403
    assert json.loads(ask(gateway, "GET", "/no-such-file.js")[1])["error"]["code"] == "not_found"
    file = tmp_path / "token"
    file.write_text("a-token-of-twenty-four-characters")
    with gateway_process(f"grpc://{server.grpc_url}", "--token-file", str(file)) as address:
        assert ask(address, "GET", "/")[0] == 401
