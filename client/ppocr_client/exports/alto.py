"""ALTO 4.2, the XML format of libraries and archives."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement  # nosec B405 # writes only

from ppocr_client.exports.xml import Bounds, bounds, clean, serialize
from ppocr_client.lines import Line
from ppocr_client.results import OcrResult

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-2.xsd"


def to_alto(pages: Sequence[OcrResult], *, names: Sequence[str] = ()) -> str:
    """An ALTO file.

    Args:
        pages: The pages.
        names: The picture's name of each page, if known; ALTO holds the first only.

    Returns:
        XML with one `TextBlock` a page and one `TextLine` with its corners as `Polygon` a line. A
        `String` holds each word, with `SP` for a space, or the whole text of a line without
        words; `WC` is its score. `ROTATION` says how a turned page lies. Units are pixels.
    """
    alto = Element(
        "alto",
        {
            "xmlns": NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{NAMESPACE} {SCHEMA}",
        },
    )
    description = SubElement(alto, "Description")
    SubElement(description, "MeasurementUnit").text = "pixel"
    if names:
        source = SubElement(description, "sourceImageInformation")
        SubElement(source, "fileName").text = clean(names[0])
    processing = SubElement(description, "Processing", {"ID": "processing_1"})
    software = SubElement(processing, "processingSoftware")
    SubElement(software, "softwareName").text = "ppocr-triton"
    layout = SubElement(alto, "Layout")
    for number, result in enumerate(pages, 1):
        _page(layout, number, result)
    return serialize(alto)


def _page(layout: Element, number: int, result: OcrResult) -> None:
    width, height = result.extent
    size = {"WIDTH": str(width), "HEIGHT": str(height)}
    page = SubElement(
        layout, "Page", {"ID": f"page_{number}", "PHYSICAL_IMG_NR": str(number), **size}
    )
    space = SubElement(page, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    if not result.lines:
        return
    lefts, tops, rights, bottoms = zip(*map(bounds, result.lines), strict=True)
    around = Bounds(min(lefts), min(tops), max(rights), max(bottoms))
    turned = {"ROTATION": str(360 - result.angle)} if result.angle else {}  # counterclockwise
    block = SubElement(space, "TextBlock", {"ID": f"block_{number}", **_place(around), **turned})
    for index, line in enumerate(result.lines, 1):
        _line(block, f"{number}_{index}", line)


def _line(block: Element, number: str, line: Line) -> None:
    place = _place(bounds(line))
    element = SubElement(block, "TextLine", {"ID": f"line_{number}", **place})
    corners = " ".join(f"{x:g},{y:g}" for x, y in line.box.tolist())
    SubElement(SubElement(element, "Shape"), "Polygon", {"POINTS": corners})
    last = len(line.parts) - 1
    for index, (part, piece) in enumerate(zip(line.parts, line.pieces, strict=True)):
        here = bounds(part)
        name = f"string_{number}_{index + 1}" if line.words else f"string_{number}"
        score = f"{min(1.0, max(0.0, part.score)):.4f}"
        content = {"CONTENT": clean(part.text), "WC": score}
        SubElement(element, "String", {"ID": name, **_place(here), **content})
        if index < last and piece[-1:].isspace():
            SubElement(element, "SP", {"HPOS": str(here.right), "VPOS": str(here.top)})


def _place(box: Bounds) -> dict[str, str]:
    return {
        "HPOS": str(box.left),
        "VPOS": str(box.top),
        "WIDTH": str(box.right - box.left),
        "HEIGHT": str(box.bottom - box.top),
    }
