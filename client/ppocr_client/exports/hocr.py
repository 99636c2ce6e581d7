"""hOCR 1.2, the XHTML format of OCR tools."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement  # nosec B405 # writes only

from ppocr_client.exports.xml import bounds, clean, serialize
from ppocr_client.lines import Line
from ppocr_client.results import OcrResult

DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
)
META = {
    "ocr-system": "ppocr-triton",
    "ocr-capabilities": "ocr_page ocr_line ocrx_word ocrp_poly ocrp_wconf",
}


def to_hocr(pages: Sequence[OcrResult], *, names: Sequence[str] = ()) -> str:
    """An hOCR file.

    Args:
        pages: The pages.
        names: The picture's name of each page, if known.

    Returns:
        XHTML with an `ocr_page` a page and an `ocr_line` a line: `bbox` is the upright rectangle,
        `poly` the corners themselves, `textangle` says how a turned page lies. An `ocrx_word` with
        `x_wconf` holds each word, or the whole text of a line without words.
    """
    html = Element("html", {"xmlns": "http://www.w3.org/1999/xhtml"})
    head = SubElement(html, "head")
    SubElement(head, "title").text = clean(names[0]) if names else "OCR"
    SubElement(head, "meta", {"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    for name, content in META.items():
        SubElement(head, "meta", {"name": name, "content": content})
    body = SubElement(html, "body")
    for number, result in enumerate(pages, 1):
        _page(body, number, result, names[number - 1] if names else "")
    return serialize(html, DOCTYPE)


def _page(body: Element, number: int, result: OcrResult, name: str) -> None:
    width, height = result.extent
    image = f'image "{clean(name).replace(chr(34), "%22")}"; ' if name else ""
    title = f"{image}bbox 0 0 {width} {height}; ppageno {number - 1}"
    page = SubElement(body, "div", {"class": "ocr_page", "id": f"page_{number}", "title": title})
    for index, line in enumerate(result.lines, 1):
        _line(page, f"{number}_{index}", line, result.angle)


def _line(page: Element, number: str, line: Line, angle: int) -> None:
    turned = f"; textangle {360 - angle}" if angle else ""  # counterclockwise
    box = "bbox " + " ".join(map(str, bounds(line)))
    corners = " ".join(str(max(0, round(value))) for value in line.box.ravel().tolist())
    element = SubElement(
        page,
        "span",
        {"class": "ocr_line", "id": f"line_{number}", "title": f"{box}; poly {corners}{turned}"},
    )
    for index, part in enumerate(line.parts, 1):
        place = " ".join(map(str, bounds(part)))
        title = f"bbox {place}; x_wconf {round(100 * part.score)}"
        name = f"word_{number}_{index}" if line.words else f"word_{number}"
        word = SubElement(element, "span", {"class": "ocrx_word", "id": name, "title": title})
        word.text = clean(part.text)
