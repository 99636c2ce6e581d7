"""Record what test_golden_served.py compares: PaddleOCR's readings of the samples, and our words.

    python tests/golden/record_readings.py build/test_repository

It makes an environment with PaddleOCR 2.10.0 under build/, as `ppocr-bench parity` does, which
reads new pictures both ways. The words are those of this project itself, as the server with that
repository answers them: a change shows in the file.
"""

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ppocr_bench.peers.children import children, ensure_environment
from ppocr_bench.pictures import read_labels
from ppocr_bench.verbs.parity import plain_file
from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODELS = ROOT / "build" / "models"
DET, REC = MODELS / "PP-OCRv4_mobile_det", MODELS / "PP-OCRv4_mobile_rec"
#: Whose words are kept: English, both scripts mixed, a tilted page, vertical text.
PICTURES = ("receipt_en.jpg", "form_mixed.png", "notice_tilted.jpg", "sign_vertical.jpg")


def readings() -> Iterator[dict[str, Any]]:
    """The versions of PaddleOCR and of what it runs on, then each sample's lines as they are."""
    python = ensure_environment("paddleocr", ROOT / "build" / "paddleocr-env")
    settings: dict[str, Any] = {"det_model": DET, "rec_model": REC, "rec_height": 48}
    settings |= {"dictionary": REC / "dictionary.txt", "mkldnn": False}
    with (
        tempfile.TemporaryDirectory() as folder,
        children(1, python, "paddleocr", settings) as (ask, _, versions),
    ):
        yield versions
        for picture in read_labels(ROOT / "samples"):
            read = ask(plain_file(picture, Path(folder, picture.name)))
            lines = [{"text": r.text, "score": r.score, "box": r.box.tolist()} for r in read]
            yield {"picture": picture.name, "lines": lines}


def words(repository: Path) -> Iterator[dict[str, Any]]:
    """The words of each line, and where they stand."""
    with TritonServer(repository, grace=0) as server, OcrClient(server.grpc_url) as client:
        for name in PICTURES:
            for line in client.read(ROOT / "samples" / name, return_words=True).lines:
                boxes = [word.box.astype(float).round(1).tolist() for word in line.words]
                pairs = zip((word.text for word in line.words), boxes, strict=True)
                yield {"picture": name, "words": list(pairs)}


def record(name: str, rows: Iterable[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (HERE / name).write_text(text, "utf-8")


if __name__ == "__main__":
    record("readings.jsonl", readings())
    record("words.jsonl", words(Path(sys.argv[1])))
