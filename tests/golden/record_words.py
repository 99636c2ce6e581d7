"""Record the words that a server answers for some samples, for test_golden_served.py to hold it to.

    python tests/golden/record_words.py build/test_repository

Unlike the other recordings, these are of this project itself: a change shows in the file.
"""

import argparse
import json
from pathlib import Path

from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "samples"
#: English, both scripts mixed, a tilted page, vertical text.
PICTURES = ("receipt_en.jpg", "form_mixed.png", "notice_tilted.jpg", "sign_vertical.jpg")


def main() -> None:
    """Read each picture, and write its words line by line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path, help="of PP-OCRv4 mobile")
    args = parser.parse_args()
    with (
        TritonServer(args.repository, grace=0) as server,
        OcrClient(server.grpc_url) as client,
        (HERE / "words.jsonl").open("w", encoding="utf-8") as file,
    ):
        for name in PICTURES:
            for line in client.read(SAMPLES / name, return_words=True).lines:
                words = [
                    [word.text, word.box.astype(float).round(1).tolist()] for word in line.words
                ]
                row = {"picture": name, "words": words}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
