"""Which addresses a gateway fetches, and which base64 text it takes."""

import base64

import pytest
from cases import cases

from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.uploads import file_of_base64, is_allowed

PREFIXES = ("https://example.org/scans/", "http://10.0.0.1:8080")


@pytest.mark.parametrize(("url", "allowed"), cases(__file__)["addresses"])
def test_only_addresses_below_a_prefix_are_allowed(url, allowed):
    assert is_allowed(url, PREFIXES) is allowed
    assert not is_allowed(url, ())


def test_base64_in_any_spelling():
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    url_safe = base64.urlsafe_b64encode(data).decode()
    for spelling in (text, lines, url_safe, f"data:image/png;base64,{text}"):
        assert file_of_base64(spelling, "file") == data
    with pytest.raises(Failure, match=r"file begins with 'no base64!' and is not .*; send the"):
        file_of_base64("no base64!", "file")
