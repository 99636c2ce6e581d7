"""Words in files of other programs."""

import csv
import io
import re

import numpy as np
import pytest
from client.samples import rectangle

from ppocr_client import Line, OcrResult, Word
from ppocr_client.documents.pictures import Size, encode_pixels
from ppocr_client.exports.pdf import to_pdf
from ppocr_client.exports.writers import to_tsv
from ppocr_client.exports.xml import to_alto, to_hocr

etree = pytest.importorskip("lxml.etree")
pdfium = pytest.importorskip("pypdfium2")
PICTURE = encode_pixels(np.full((150, 240), 255, np.uint8), None)


def words(text, left, right, *, top=30, bottom=60):
    """A line over this width whose words are those between spaces, letters equally wide."""
    step = (right - left) / len(text)
    found = tuple(
        Word(
            part.group(),
            0.9,
            rectangle(*(left + step * part.start(), top), left + step * part.end(), bottom),
        )
        for part in re.finditer(r"\S+", text)
    )
    return Line(text, 0.98765, rectangle(left, top, right, bottom), 0.9, found)


WORDS = [
    OcrResult((words("Store in a cool place", 60, 186),), Size(240, 150)),
    OcrResult(
        (Line("no words", 0.9, rectangle(20, 30, 90, 60), 0.9), words("two  words", 20, 120)),
        Size(240, 150),
    ),
]


def test_words_are_in_hocr_alto_and_tsv(tmp_path):
    validate = pytest.importorskip("hocr_spec.validate")
    file = tmp_path / "words.hocr"
    file.write_text(to_hocr(WORDS), encoding="utf-8")
    report = validate.HocrValidator("standard").validate(str(file), parse_strict=True)
    assert report.is_valid(), report.format("text")
    found = etree.parse(str(file)).xpath("//*[@class='ocrx_word']")
    expected = ["Store", "in", "a", "cool", "place", "no words", "two", "words"]
    assert [word.text for word in found] == expected
    assert found[0].get("title") == "bbox 60 30 90 60; x_wconf 90"
    assert len({word.get("id") for word in found}) == len(found)
    names = {"a": "http://www.loc.gov/standards/alto/ns-v4#"}
    lines = etree.fromstring(to_alto(WORDS).encode()).xpath("//a:TextLine", namespaces=names)
    kinds = [[etree.QName(part).localname for part in one] for one in lines]
    assert kinds == [
        ["Shape", *["String", "SP"] * 4, "String"],
        ["Shape", "String"],
        ["Shape", "String", "SP", "String"],
    ]
    rows = list(csv.DictReader(io.StringIO(to_tsv(WORDS)), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["text"] for row in rows] == expected
    assert [(row["page"], row["line"], row["word"]) for row in rows[4:7]] == [
        ("1", "1", "5"),
        ("2", "1", "1"),
        ("2", "2", "1"),
    ]


@pytest.mark.parametrize("degrees", [0, 2, 8, 90])
def test_words_of_a_pdf_are_found_where_they_stand(degrees):
    result = turned(WORDS[0], degrees)
    document = pdfium.PdfDocument(to_pdf([(PICTURE, result)]))
    text = document[0].get_textpage()
    assert text.get_text_bounded().split() == [word.text for word in result.words]
    for word in result.words:
        x, y = word.box.mean(axis=0).tolist()
        letters = text.count_chars()
        at = text.get_index(x, 150 - y, 4, 4)
        assert at is not None, word
        assert 0 <= at < letters
        assert text.get_text_range(at, 1) in word.text


def turned(result, degrees):
    """The result turned clockwise about the middle of its page."""
    angle, middle = np.deg2rad(degrees), np.array([120, 75])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    def move(box):
        return ((box - middle) @ turn + middle).astype(np.float32)

    return OcrResult(
        tuple(
            Line(
                *(one.text, one.score, move(one.box), one.box_score),
                tuple(Word(word.text, word.score, move(word.box)) for word in one.words),
            )
            for one in result.lines
        ),
        result.size,
    )
