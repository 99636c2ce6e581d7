"""Write `paddlex-3.7.2.json`: schemas and answers of PaddleX's own service, for `test_paddlex.py`.

    pip install "paddlex[serving,ocr-core]==3.7.2" httpx
    python record_paddlex.py

The application is PaddleX's; its networks, which are not needed for that, are left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fastapi.testclient import TestClient
from paddlex.inference.pipelines.ocr.result import OCRResult
from paddlex.inference.serving.basic_serving._pipeline_apps.ocr import create_pipeline_app
from paddlex.inference.serving.infra.config import AppConfig
from paddlex.inference.serving.infra.models import AIStudioNoResultResponse, AIStudioResultResponse
from paddlex.inference.serving.schemas.ocr import InferRequest, InferResult

VERSION = version("paddlex")
PICTURE = base64.b64encode(
    cv2.imencode(".png", np.full((40, 60, 3), 255, np.uint8))[1].tobytes()
).decode()
REFUSED: list[Any] = [
    {},
    {"fileType": 1, "logId": "mine"},
    {"file": 1, "fileType": 1},
    {"file": "aGk=", "fileType": 2},
    {"file": "aGk=", "fileType": 1, "textDetThresh": "much", "visualize": 7, "logId": "mine"},
    {"file": "aGk=", "fileType": 1, "textDetLimitSideLen": 1.5},
    {"file": "aGk=", "fileType": 1, "textDetLimitType": 1},
    [],
]


class Pipeline:
    """Finds the lines that it was made with on every page."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def predict(self, pages: list[np.ndarray], **_: Any) -> Iterator[OCRResult]:
        box = np.array([[1, 2], [30, 2], [30, 20], [1, 20]], np.int16)
        for page in pages:
            count = len(self.texts)
            yield OCRResult(
                {
                    "input_path": None,
                    "page_index": None,
                    "doc_preprocessor_res": {"output_img": page},
                    "model_settings": {
                        "use_doc_preprocessor": False,
                        "use_textline_orientation": False,
                    },
                    "dt_polys": [box] * count,
                    "text_det_params": {
                        **{"limit_side_len": 64, "limit_type": "min", "thresh": 0.3},
                        **{"max_side_limit": 4000, "box_thresh": 0.6, "unclip_ratio": 1.5},
                    },
                    "text_type": "general",
                    "text_rec_score_thresh": 0.0,
                    "return_word_box": False,
                    "textline_orientation_angles": [-1] * count,
                    "rec_texts": self.texts,
                    "rec_scores": [0.9] * count,
                    "rec_polys": [box] * count,
                    "rec_boxes": np.array([[1, 2, 30, 20]] * count),
                    "vis_fonts": [],
                }
            )


def served(texts: list[str]) -> TestClient:
    return TestClient(create_pipeline_app(Pipeline(texts), AppConfig(visualize=False)))


def pruned(texts: list[str]) -> dict[str, Any]:
    with served(texts) as client:
        answer = client.post("/ocr", json={"file": PICTURE, "fileType": 1}).json()
    page: dict[str, Any] = answer["result"]["ocrResults"][0]["prunedResult"]
    return page


def refusals() -> Iterator[dict[str, Any]]:
    bodies = [*map(json.dumps, REFUSED), "{"]
    with served([]) as client:
        for body in bodies:
            said = client.post("/ocr", content=body, headers={"Content-Type": "application/json"})
            yield {"body": body, "status": said.status_code, "answer": said.json()}


with served([]) as client:
    health = client.get("/health").json()
recorded = {
    "made_with": f"paddlex {VERSION}",
    "schemas": {
        "request": InferRequest.model_json_schema(),
        "answer": AIStudioResultResponse[InferResult].model_json_schema(),
        "error": AIStudioNoResultResponse.model_json_schema(),
    },
    "result": pruned(["text"]),
    "blank": pruned([]),
    "refused": list(refusals()),
    "health": health,
}
text = json.dumps(recorded, indent=1, ensure_ascii=False)
Path(__file__).with_name(f"paddlex-{VERSION}.json").write_text(f"{text}\n", "utf-8")
