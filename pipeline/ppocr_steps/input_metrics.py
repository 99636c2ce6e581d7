"""What comes in, as counters among Triton's own metrics."""

from __future__ import annotations

import numpy as np

from ppocr_pipeline.header import REASONS, PictureRefused
from ppocr_steps.counters import Counter

OPTION = "option"  # a wrong parameter, or not one picture: the request's fault, not the picture's


class Input:
    """Bytes, pixels and refusals of the pictures that an instance has been sent."""

    def __init__(self) -> None:
        """Make the counters."""
        self._bytes = Counter("ppocr_bytes_in_total", "Bytes of encoded pictures")
        self._pixels = Counter("ppocr_pixels_total", "Pixels of decoded pictures")
        self._rejected = Counter(
            "ppocr_rejected_total",
            "Requests that were refused, by what was wrong with them",
            {reason: {"reason": reason} for reason in (*REASONS, OPTION)},
        )

    def decoded(self, data: bytes, pixels: np.ndarray) -> None:
        """Count a picture that was decoded."""
        self._bytes.add(len(data))
        self._pixels.add(pixels.shape[0] * pixels.shape[1])

    def refused(self, error: ValueError) -> None:
        """Count a request that is answered with an error."""
        self._rejected.add(1, error.reason if isinstance(error, PictureRefused) else OPTION)

    def tell(self) -> None:
        """Bring Triton's numbers up to date, once a second at the most."""
        for counter in (self._bytes, self._pixels, self._rejected):
            counter.tell()
