"""Pictures with labels, and how well they are read."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ppocr_bench.cli import main
from ppocr_bench.errors import BenchError
from ppocr_bench.pictures import Picture, Truth, read_labels
from ppocr_bench.verbs.accuracy import judge
from ppocr_client.results import Line, OcrResult

ROOT = Path(__file__).parents[2]
SQUARE = [[0, 0], [10, 0], [10, 5], [0, 5]]


def label_file(folder: Path, *rows: str) -> Path:
    (folder / "a.jpg").write_bytes(b"a picture")
    path = folder / "Label.txt"
    path.write_text("".join(f"{row}\n" for row in rows), "utf-8")
    return path


def row(*lines: Mapping[str, object], name: str = "a.jpg") -> str:
    return f"{name}\t{json.dumps(lines, ensure_ascii=False)}"


def test_label_txt_is_read(tmp_path: Path) -> None:
    hard = {"transcription": "###", "points": SQUARE}
    also = {"transcription": "seen", "points": SQUARE, "difficult": True}
    bent = {"transcription": "弯", "points": [[0, 0], [5, 0], [10, 0], [10, 4], [5, 4], [0, 4]]}
    label_file(tmp_path, row(hard, also, bent, name=f"{tmp_path.name}/a.jpg"), "")
    (picture,) = read_labels(tmp_path)
    assert picture.data == b"a picture"
    assert picture.truth is not None
    assert [line.counts for line in picture.truth] == [False, False, True]
    assert [line.text for line in picture.truth] == ["###", "seen", "弯"]
    corners = {tuple(corner) for corner in picture.truth[2].box.round(3).tolist()}
    assert corners == {(0, 0), (10, 0), (10, 4), (0, 4)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.jpg no tab", "line 1: wanted is a picture's path, a tab"),
        ("a.jpg\ttext of one line", "line 1: wanted is a picture's path, a tab"),
        ("a.jpg\t[{]", "line 1 is not JSON"),
        (row({"text": "a"}), "needs 'transcription' and 'points'"),
        (row({"transcription": "a", "points": [[0, 0], [1, 1]]}), "four or more corners"),
        (row(name="b.jpg"), "there is no picture"),
    ],
)
def test_wrong_labels_are_explained(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BenchError, match=said):
        read_labels(label_file(tmp_path, text))


def test_a_folder_without_labels_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"neither truth\.json nor Label\.txt"):
        read_labels(tmp_path)


def test_what_nobody_can_read_counts_neither_way() -> None:
    box = np.array(SQUARE, np.float32)
    truth = (Truth("###", box, counts=False), Truth("there", box + 100))
    lines = (Line("noise", 0.9, box, 0.9), Line("there", 0.9, box + 100, 0.9))
    counts = judge(Picture("a", b"", truth), OcrResult(lines))
    assert (counts.truth_boxes, counts.found_boxes, counts.errors) == (1, 1, 0)


def test_pictures_without_truth_cannot_be_judged(capsys: pytest.CaptureFixture[str]) -> None:
    picture = str(ROOT / "samples" / "poster_zh.jpg")
    command = ["accuracy", "--no-samples", "--pages", "0"]
    assert main([*command, "--images", picture]) == 1
    assert "--labels" in capsys.readouterr().err
    assert main(command) == 1
    assert "there are no pictures" in capsys.readouterr().err
