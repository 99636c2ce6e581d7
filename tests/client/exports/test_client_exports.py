"""Results as files of other programs, read back by other programs."""

import csv
import io
import sys

import numpy as np
import pytest
from client.samples import pdf_pages, rectangle
from PIL import Image

from ppocr_client import Line, OcrResult
from ppocr_client.documents.pictures import Size
from ppocr_client.errors import ImageError, MissingExtra
from ppocr_client.exports.pdf import to_pdf
from ppocr_client.exports.writers import to_tsv
from ppocr_client.exports.xml import to_alto, to_hocr

etree = pytest.importorskip("lxml.etree")
pdfium = pytest.importorskip("pypdfium2")


def line(text, box, score=0.98765):
    return Line(text, score, np.array(box, np.float32), 0.9)


AWKWARD = "<a & 'b' \"c\">\x00\x1f\ud800"
PAGES = [
    OcrResult(
        (
            line("鲜果 𠮷 fruit", rectangle(20, 30, 180, 60)),
            line("tilted", [[20, 100], [120, 80], [124, 100], [24, 120]]),
            line("立て看板", rectangle(190, 10, 210, 140)),
        ),
        Size(240, 150),
    ),
    OcrResult((), Size(240, 150)),
    OcrResult((line("third", rectangle(-3.5, 4, 70.2, 30)),), Size(240, 150)),
]
TURNED = [OcrResult(PAGES[0].lines, Size(240, 150), angle=180)]


def picture(**settings) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (240, 150), "khaki").save(file, **{"format": "JPEG", **settings})
    return file.getvalue()


def test_tsv_is_read_back_by_csv():
    rows = list(csv.DictReader(io.StringIO(to_tsv(PAGES)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [(row["page"], row["line"], row["text"]) for row in rows] == [
        ("1", "1", "鲜果 𠮷 fruit"),
        ("1", "2", "tilted"),
        ("1", "3", "立て看板"),
        ("3", "1", "third"),
    ]
    assert [float(rows[1][key]) for key in ("x1", "y1", "x3", "y3")] == [20, 100, 124, 100]
    assert len(to_tsv([OcrResult((line("a\tb\nc", rectangle(0, 0, 1, 1)),))]).splitlines()) == 2


def test_hocr_is_valid_by_the_rules_of_its_specification(tmp_path):
    validate = pytest.importorskip("hocr_spec.validate")
    file = tmp_path / "pages.hocr"
    file.write_text(to_hocr(PAGES + TURNED, names=['a "b".jpg', "c", "d", "e"]), encoding="utf-8")
    report = validate.HocrValidator("standard").validate(str(file), parse_strict=True)
    assert report.is_valid(), report.format("text")


def test_hocr_says_where_everything_is():
    root = etree.fromstring(to_hocr(PAGES, names=["a.jpg", "b.jpg", "c.jpg"]).encode())
    found = {
        kind: [(node.get("title"), "".join(node.itertext()).strip()) for node in nodes]
        for kind in ("ocr_page", "ocr_line", "ocrx_word")
        for nodes in [root.xpath(f"//*[@class='{kind}']")]
    }
    assert found["ocr_page"][1] == ('image "b.jpg"; bbox 0 0 240 150; ppageno 1', "")
    assert found["ocr_line"][1][0] == "bbox 20 80 124 120; poly 20 100 120 80 124 100 24 120"
    assert found["ocr_line"][3][0] == "bbox 0 4 71 30; poly 0 4 70 4 70 30 0 30"
    assert found["ocrx_word"][0] == ("bbox 20 30 180 60; x_wconf 99", "鲜果 𠮷 fruit")


def test_a_turned_page_says_how_its_text_lies():
    """Both formats count counterclockwise, from upright text."""
    page = OcrResult((line("a", rectangle(0, 0, 9, 40)),), Size(240, 150), angle=90)
    assert "; textangle 270" in to_hocr([page])
    assert ' ROTATION="270"' in to_alto([page])
    assert "textangle" not in to_hocr(PAGES)
    assert "ROTATION" not in to_alto(PAGES)


def test_alto_has_the_structure_of_version_4():
    """The parts of the schema that these files use: order, required attributes, types."""
    root = etree.fromstring(to_alto(PAGES, names=["a.jpg"]).encode())
    names = {"a": "http://www.loc.gov/standards/alto/ns-v4#"}

    def children(node):
        return [etree.QName(child).localname for child in node]

    assert root.tag == "{http://www.loc.gov/standards/alto/ns-v4#}alto"
    assert children(root) == ["Description", "Layout"]
    assert children(root[0]) == ["MeasurementUnit", "sourceImageInformation", "Processing"]
    assert root.findtext(".//a:fileName", namespaces=names) == "a.jpg"
    pages = root.xpath("//a:Page", namespaces=names)
    assert [page.get("PHYSICAL_IMG_NR") for page in pages] == ["1", "2", "3"]
    assert [len(page.xpath(".//a:TextBlock", namespaces=names)) for page in pages] == [1, 0, 1]
    ids = root.xpath("//@ID")
    assert len(ids) == len(set(ids))
    for text_line in root.xpath("//a:TextLine", namespaces=names):
        assert children(text_line) == ["Shape", "String"]
    first = dict(root.xpath("(//a:String)[1]", namespaces=names)[0].attrib)
    place = {"HPOS": "20", "VPOS": "30", "WIDTH": "160", "HEIGHT": "30"}
    assert first == {"ID": "string_1_1", **place, "CONTENT": "鲜果 𠮷 fruit", "WC": "0.9877"}
    polygon = root.xpath("(//a:Polygon)[2]/@POINTS", namespaces=names)
    assert polygon == ["20,100 120,80 124,100 24,120"]


@pytest.mark.parametrize("write", [to_hocr, to_alto])
def test_characters_that_xml_cannot_hold_become_marks(write):
    text = write([OcrResult((line(AWKWARD, rectangle(0, 0, 9, 9)),))])
    root = etree.fromstring(text.encode())
    said = "".join(root.itertext()) + "".join(root.xpath("//@CONTENT"))
    assert "<a & 'b' \"c\">\ufffd\ufffd\ufffd" in said


raw = pytest.importorskip("pypdfium2.raw")


def found_in(pdf: bytes) -> list[dict[str, tuple[float, ...]]]:
    """Each page's characters with left, top, right, bottom, as PDFium finds them."""
    pages = []
    for page in pdfium.PdfDocument(pdf):
        text, height = page.get_textpage(), page.get_height()
        places: dict[str, tuple[float, ...]] = {}
        for i in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(i, loose=True)
            places[chr(raw.FPDFText_GetUnicode(text, i))] = (
                left,
                height - top,
                right,
                height - bottom,
            )
        pages.append(places)
    return pages


def test_a_pdfs_text_lies_where_it_was_read():
    pdf = to_pdf([(picture(), page) for page in PAGES], dpi=144)
    document = pdfium.PdfDocument(pdf)
    assert [page.get_size() for page in document] == [(120, 75)] * 3
    text = document[0].get_textpage().get_text_range()
    assert "鲜果 𠮷 fruit" in text.replace("\r\n", "\n")
    first, empty, third = found_in(pdf)
    assert empty == {}
    # Half as many points as pixels; the standing line goes down.
    left, top, _, bottom = first["鲜"]
    assert (left, top, bottom) == pytest.approx((10, 15, 30), abs=0.5)
    assert (first["立"][1], first["板"][3]) == pytest.approx((5, 70), abs=0.5)
    assert third["t"]


def test_a_pdfs_text_is_not_seen():
    pdf = to_pdf([(picture(format="PNG"), PAGES[0])], dpi=72)
    page = pdfium.PdfDocument(pdf)[0]
    assert (page.render().to_numpy() == np.array([140, 230, 240])).all()
    texts = [item for item in page.get_objects() if item.type == raw.FPDF_PAGEOBJ_TEXT]
    assert len(texts) == 3
    modes = {raw.FPDFTextObj_GetTextRenderMode(text) for text in texts}
    assert modes == {raw.FPDF_TEXTRENDERMODE_INVISIBLE}


def test_a_pdfs_text_is_found_by_pdftotext():
    pages = pdf_pages(to_pdf([(picture(), page) for page in PAGES]))
    assert all(text in pages[0] for text in ("鲜果 𠮷 fruit", "tilted", "立て看板"))
    assert (pages[1].strip(), pages[2].strip()) == ("", "third")


@pytest.mark.parametrize("degrees", [-80, -30, -4, -2, 1, 3, 8, 45, 100])
def test_tilted_text_is_found_in_one_piece(degrees):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    box = rectangle(-60, -8, 60, 8) @ turn + (120, 75)
    pdf = to_pdf([(picture(), OcrResult((line("a tilted line of words", box),)))])
    assert [page.strip() for page in pdf_pages(pdf)] == ["a tilted line of words"]
    found = pdfium.PdfDocument(pdf)[0].get_textpage().get_text_range()
    assert found == "a tilted line of words"


def test_a_jpeg_goes_into_a_pdf_as_it_is_and_a_turned_one_is_turned():
    data = picture()
    assert data in to_pdf([(data, PAGES[0])])
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = to_pdf([(picture(exif=exif), OcrResult(()))])
    assert pdfium.PdfDocument(turned)[0].get_size() == (150, 240)


def test_a_pdf_needs_pictures_that_can_be_decoded_and_its_packages(monkeypatch):
    with pytest.raises(ImageError, match="cannot put the picture into a PDF"):
        to_pdf([(b"no picture", PAGES[0])])
    with pytest.raises(ValueError, match="0 pages"):
        to_pdf([])
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(MissingExtra, match=r'pypdfium2: pip install "ppocr-triton\[pdf\]"'):
        to_pdf([(picture(), PAGES[0])])


def test_a_result_has_all_of_them():
    result = PAGES[0]
    assert result.to_tsv() == to_tsv([result])
    assert result.to_hocr() == to_hocr([result])
    assert result.to_alto() == to_alto([result])
    assert result.to_pdf(picture(), dpi=144).startswith(b"%PDF-")
    assert result.draw(picture()).size == (480, 150)
    assert OcrResult.from_dict(result.to_dict()) == result


def test_a_size_that_is_not_known_is_the_smallest_that_holds_the_boxes():
    assert OcrResult((line("x", rectangle(5, 5, 40.2, 9)),)).extent == Size(41, 9)
    assert OcrResult(()).extent == Size(1, 1)
