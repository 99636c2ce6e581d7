"""Read text from pictures with PaddleOCR served by Triton.

    from ppocr_client import OcrClient

    with OcrClient("grpc://127.0.0.1:8001") as client:
        result = client.read("photo.jpg")
        for line in result.lines:
            print(line.text, line.score, line.box)

`AsyncOcrClient` is the same for an event loop. Needs numpy and tritonclient only. Errors are in
`ppocr_client.errors`, the options of a request in `ppocr_client.options`, drawing (with Pillow) in
`ppocr_client.exports.draw`, files of other programs in `ppocr_client.exports`.
"""

from ppocr_client.client import AsyncOcrClient, OcrClient
from ppocr_client.errors import OcrError
from ppocr_client.lines import Line, Word
from ppocr_client.results import Detection, OcrResult
from ppocr_client.transport.base import Tls
from ppocr_client.transport.batching import Reading
from ppocr_client.transport.server_info import ServerInfo

__all__ = [
    "AsyncOcrClient",
    "Detection",
    "Line",
    "OcrClient",
    "OcrError",
    "OcrResult",
    "Reading",
    "ServerInfo",
    "Tls",
    "Word",
]
