"""Record what PaddleOCR 2.10.0 reads in the samples, as test_golden_served.py compares.

    python tests/golden/record_readings.py

It makes an environment with PaddleOCR under build/, as `ppocr-bench parity` does, which reads new
pictures both ways.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from ppocr_bench.peers.children import children
from ppocr_bench.peers.environments import ensure_environment
from ppocr_bench.pictures import read_labels
from ppocr_bench.verbs.parity import plain_file

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "build" / "models"
DET, REC = MODELS / "PP-OCRv4_mobile_det", MODELS / "PP-OCRv4_mobile_rec"


def main() -> None:
    """Ask PaddleOCR for each sample, and write its lines as they are."""
    python = ensure_environment("paddleocr", ROOT / "build" / "paddleocr-env")
    settings: dict[str, Any] = {"det_model": DET, "rec_model": REC, "rec_height": 48}
    settings |= {"dictionary": REC / "dictionary.txt", "mkldnn": False}
    with (
        tempfile.TemporaryDirectory() as folder,
        children(1, python, "paddleocr", settings) as (ask, _, versions),
    ):
        rows: list[dict[str, Any]] = [versions]
        for picture in read_labels(ROOT / "samples"):
            read = ask(plain_file(picture, Path(folder, picture.name)))
            lines = [{"text": r.text, "score": r.score, "box": r.box.tolist()} for r in read]
            rows.append({"picture": picture.name, "lines": lines})
    with Path(__file__).with_name("readings.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main()
