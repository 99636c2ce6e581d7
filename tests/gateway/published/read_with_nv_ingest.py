"""Run by nv-ingest's own Python: read pictures by its client of NVIDIA's NIM for image OCR.

    python read_with_nv_ingest.py HTTP_ENDPOINT PICTURE ...

Prints JSON: by level, for each picture the boxes in pixels, texts and confidences that it has got.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from nv_ingest_api.internal.primitives.nim.model_interface.ocr import NemoRetrieverOCRModelInterface
from nv_ingest_api.internal.primitives.nim.nim_client import NimClient

endpoint, *pictures = sys.argv[1:]
files = [base64.b64encode(Path(name).read_bytes()).decode() for name in pictures]
client = NimClient(NemoRetrieverOCRModelInterface(), "http", (None, endpoint), max_retries=1)
read = {
    level: client.infer({"base64_images": files}, "ocr", max_batch_size=8, merge_level=level)
    for level in ("sentence", "paragraph")
}
json.dump(read, sys.stdout)
