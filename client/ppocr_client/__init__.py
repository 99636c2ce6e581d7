"""Read text from pictures with PaddleOCR served by Triton.

    from ppocr_client import OcrClient

    with OcrClient("grpc://127.0.0.1:8001") as client:
        result = client.read("photo.jpg")
        for line in result.lines:
            print(line.text, line.score, line.box)

Needs numpy and tritonclient only. Errors are in `ppocr_client.errors`, the options of a request in
`ppocr_client.options`, drawing (with Pillow) in `ppocr_client.draw`.
"""

from ppocr_client.client import OcrClient
from ppocr_client.errors import OcrError
from ppocr_client.results import Line, OcrResult

__all__ = ["Line", "OcrClient", "OcrError", "OcrResult"]
