import io
import shutil
import sys

import numpy as np
import pytest
from cases import cases
from client.samples import rectangle
from PIL import Image

from ppocr_client import Line, OcrResult
from ppocr_client.errors import ImageError
from ppocr_client.exports.draw import DrawError, draw_result, find_font


def picture(mode="RGB", size=(200, 120), exif=None, colour="white"):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG", exif=exif or Image.Exif())
    return file.getvalue()


def ink(sheet):
    """Where the right half is dark, as the picture's own coordinates: left, top, right, bottom."""
    gray = np.asarray(sheet.convert("L"))[:, sheet.width // 2 :]
    rows, columns = np.nonzero(gray < 100)
    return columns.min(), rows.min(), columns.max(), rows.max()


@pytest.mark.parametrize(("text", "place"), cases(__file__)["places"])
def test_text_stands_where_it_was_read(text, place):
    sheet = draw_result(picture(), OcrResult((Line(text, 0.9, rectangle(*place), 0.9),)))
    assert sheet.size == (400, 120)
    left, top, right, bottom = ink(sheet)
    assert place[0] <= left < right <= place[2] + 1
    assert place[1] <= top < bottom <= place[3] + 1
    # It fills a good part of its box, the long way or across it.
    assert max((right - left) / (place[2] - place[0]), (bottom - top) / (place[3] - place[1])) > 0.4
    # The box is marked on the picture itself.
    assert np.asarray(sheet)[place[1] : place[3], place[0] : place[2]].min() < 255


def test_no_lines_leave_the_right_side_white():
    sheet = np.asarray(draw_result(picture(colour="navy"), OcrResult(())))
    assert (sheet[:, 200:] == 255).all()
    assert (sheet[:, :200] == [0, 0, 128]).all()


def test_a_picture_is_drawn_upright_and_without_its_transparency():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert draw_result(picture(exif=exif), OcrResult(())).size == (240, 200)
    clear = draw_result(picture("RGBA", colour=(0, 0, 0, 0)), OcrResult(()))
    assert np.asarray(clear).min() == 255


def test_boxes_that_hold_nothing_are_no_harm():
    lines = [
        Line("dot", 0.9, rectangle(5, 5, 5, 5), 0.9),
        Line("out", 0.9, rectangle(-40, -40, -10, -20), 0.9),
        Line(" ", 0.9, rectangle(5, 5, 50, 20), 0.9),
        Line("on one line", 0.9, np.array([[0, 10], [0, 3], [9, 5], [0, 20]]), 0.9),
    ]
    assert draw_result(picture(), OcrResult(tuple(lines))).size == (400, 120)


def test_a_font_can_be_named_and_is_checked(tmp_path):
    assert find_font(find_font()) == find_font()
    wrong = tmp_path / "no.ttf"
    wrong.write_bytes(b"no font")
    with pytest.raises(DrawError, match=r"cannot use the font .*no\.ttf"):
        find_font(wrong)


def test_without_any_font_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("ppocr_client.exports.draw.FONT_NAMES", ())
    with pytest.raises(DrawError, match=r"--font FILE.*pip install pylopdf-fonts-zh-cn"):
        find_font()


def test_a_system_font_is_found_without_the_package(monkeypatch, tmp_path):
    font = tmp_path / "fonts" / "truetype" / "wqy-zenhei.ttc"
    font.parent.mkdir(parents=True)
    shutil.copy(find_font(), font)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("ppocr_client.exports.draw.FONT_NAMES", ("wqy-zenhei",))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert find_font() == font


def test_a_broken_picture_and_a_missing_pillow_say_so(monkeypatch):
    with pytest.raises(ImageError, match="cannot draw the picture"):
        draw_result(b"no picture", OcrResult(()))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DrawError, match="pip install"):
        draw_result(b"", OcrResult(()))
