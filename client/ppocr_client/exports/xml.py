"""hOCR 1.2 and ALTO 4.2, the XML formats of OCR tools, and of libraries and archives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree  # nosec B405 # writes only
from xml.etree.ElementTree import Element, SubElement  # nosec B405

from ppocr_client.lines import Line, Word
from ppocr_client.results import OcrResult

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
)
CAPABILITIES = "ocr_page ocr_line ocrx_word ocrp_poly ocrp_wconf"
NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-2.xsd"
ALTO = {
    "xmlns": NAMESPACE,
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
}


class Bounds(NamedTuple):
    """The upright rectangle around a box, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int


def bounds(part: Word) -> Bounds:
    """The smallest whole rectangle around the box of a line or word, clipped at 0."""
    left, top = part.box.min(axis=0).clip(0).tolist()
    right, bottom = part.box.max(axis=0).clip(0).tolist()
    return Bounds(int(left), int(top), int(-(-right // 1)), int(-(-bottom // 1)))


def to_hocr(pages: Sequence[OcrResult], *, names: Sequence[str] = ()) -> str:
    """XHTML with an `ocr_page` a page and an `ocr_line` a line; `names` are those of the pictures.

    `bbox` is the upright rectangle, `poly` the corners themselves, `textangle` says how a turned
    page lies. An `ocrx_word` with `x_wconf` holds each word, or the whole text of a line without.
    """
    html = Element("html", xmlns="http://www.w3.org/1999/xhtml")
    head = SubElement(html, "head")
    SubElement(head, "title").text = names[0] if names else "OCR"
    SubElement(head, "meta", {"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    SubElement(head, "meta", name="ocr-system", content="ppocr-triton")
    SubElement(head, "meta", name="ocr-capabilities", content=CAPABILITIES)
    body = SubElement(html, "body")
    for number, result in enumerate(pages, 1):
        width, height = result.extent
        name = names[number - 1].replace('"', "%22") if names else ""
        image = f'image "{name}"; ' if name else ""
        title = f"{image}bbox 0 0 {width} {height}; ppageno {number - 1}"
        about = {"class": "ocr_page", "id": f"page_{number}", "title": title}
        page = SubElement(body, "div", about)
        for index, line in enumerate(result.lines, 1):
            _hocr_line(page, f"{number}_{index}", line, result.angle)
    return _serialize(html, DOCTYPE)


def _hocr_line(page: Element, number: str, line: Line, angle: int) -> None:
    turned = f"; textangle {360 - angle}" if angle else ""  # counterclockwise
    box = "bbox " + " ".join(map(str, bounds(line)))
    corners = " ".join(str(max(0, round(value))) for value in line.box.ravel().tolist())
    title = f"{box}; poly {corners}{turned}"
    about = {"class": "ocr_line", "id": f"line_{number}", "title": title}
    element = SubElement(page, "span", about)
    for index, part in enumerate(line.parts, 1):
        place = " ".join(map(str, bounds(part)))
        title = f"bbox {place}; x_wconf {round(100 * part.score)}"
        name = f"word_{number}_{index}" if line.words else f"word_{number}"
        word = SubElement(element, "span", {"class": "ocrx_word", "id": name, "title": title})
        word.text = part.text


def to_alto(pages: Sequence[OcrResult], *, names: Sequence[str] = ()) -> str:
    """XML with one `TextBlock` a page, and one `TextLine` with its corners as `Polygon` a line.

    A `String` holds each word, with `SP` for a space, or the whole text of a line without words;
    `WC` is its score. `ROTATION` says how a turned page lies. Units are pixels. Of the pictures'
    names ALTO holds the first.
    """
    alto = Element("alto", ALTO)
    description = SubElement(alto, "Description")
    SubElement(description, "MeasurementUnit").text = "pixel"
    if names:
        source = SubElement(description, "sourceImageInformation")
        SubElement(source, "fileName").text = names[0]
    processing = SubElement(description, "Processing", ID="processing_1")
    software = SubElement(processing, "processingSoftware")
    SubElement(software, "softwareName").text = "ppocr-triton"
    layout = SubElement(alto, "Layout")
    for number, result in enumerate(pages, 1):
        _alto_page(layout, str(number), result)
    return _serialize(alto)


def _alto_page(layout: Element, number: str, result: OcrResult) -> None:
    width, height = result.extent
    size = {"WIDTH": str(width), "HEIGHT": str(height)}
    page = SubElement(layout, "Page", {"ID": f"page_{number}", "PHYSICAL_IMG_NR": number, **size})
    space = SubElement(page, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    if not result.lines:
        return
    lefts, tops, rights, bottoms = zip(*map(bounds, result.lines), strict=True)
    around = Bounds(min(lefts), min(tops), max(rights), max(bottoms))
    turned = {"ROTATION": str(360 - result.angle)} if result.angle else {}  # counterclockwise
    block = SubElement(space, "TextBlock", {"ID": f"block_{number}", **_place(around), **turned})
    for index, line in enumerate(result.lines, 1):
        _alto_line(block, f"{number}_{index}", line)


def _alto_line(block: Element, number: str, line: Line) -> None:
    element = SubElement(block, "TextLine", {"ID": f"line_{number}", **_place(bounds(line))})
    corners = " ".join(f"{x:g},{y:g}" for x, y in line.box.tolist())
    SubElement(SubElement(element, "Shape"), "Polygon", POINTS=corners)
    last = len(line.parts) - 1
    for index, (part, piece) in enumerate(zip(line.parts, line.pieces, strict=True)):
        here = bounds(part)
        name = f"string_{number}_{index + 1}" if line.words else f"string_{number}"
        score = f"{min(1.0, max(0.0, part.score)):.4f}"
        content = {"CONTENT": part.text, "WC": score}
        SubElement(element, "String", {"ID": name, **_place(here), **content})
        if index < last and piece[-1:].isspace():
            SubElement(element, "SP", HPOS=str(here.right), VPOS=str(here.top))


def _place(box: Bounds) -> dict[str, str]:
    left, top, right, bottom = box
    sizes = (left, top, right - left, bottom - top)
    return dict(zip(("HPOS", "VPOS", "WIDTH", "HEIGHT"), map(str, sizes), strict=True))


def _serialize(root: Element, doctype: str = "") -> str:
    """An XML file's text, indented, with U+FFFD for each character that XML does not allow."""
    ElementTree.indent(root)
    text = NOT_XML.sub("\ufffd", ElementTree.tostring(root, encoding="unicode"))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}{text}\n'
