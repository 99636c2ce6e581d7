"""How much memory a repository is expected to take, by a formula fitted to a running server.

Measured with the Python stand-in for ONNX Runtime on a CPU, as the proportional share (PSS) of each
process after reading the sample pictures with PP-OCRv4 mobile, one thread an instance: steps 34 to
40 MiB; det (4.7 MB file) 43 MiB loaded, 263 after pictures of 736x960; rec (10.8 MB) 54 and 77; cls
(0.6 MB) 30 and 44; the server itself 74. Loaded is 28 MiB and 2.5 times the file; what comes on top
goes with the pixels of the largest run. The C++ backend holds all instances in one process and
takes less; what a GPU takes has not been measured. Shared memory: 140 MiB of 12 instances, 8 of
which had grown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MIB = 1 << 20
SERVER_MIB, STEP_MIB, LOADED_MIB = 74, 40, 28
FILE_FACTOR = 2.5
#: Bytes of activations for each pixel of a run's input.
BYTES_PER_PIXEL = {"det": 330, "rec": 150, "cls": 290, "page_orientation": 290}
#: A detector's largest picture with PaddleOCR's limit of 960, pixels.
DET_PIXELS = 960 * 960
#: Shared memory of an instance: what the Python backend begins with and grows by, once.
SHARED_MIB = 17


def network_mib(name: str, file_bytes: int, parameters: Mapping[str, str], widest: int) -> int:
    """The memory of one instance of a network on a CPU, MiB, in the largest run of a request.

    Args:
        name: "det", "rec", "cls" or "page_orientation".
        file_bytes: the size of its file.
        parameters: of `recognize`.
        widest: of the recogniser's buckets, pixels.
    """
    pixels = DET_PIXELS
    if name == "page_orientation":
        pixels = int(parameters["page_orientation_size"]) ** 2
    elif name != "det":
        width = widest if name == "rec" else int(parameters["cls_width"])
        pixels = int(parameters[f"{name}_batch_size"]) * int(parameters[f"{name}_height"]) * width
    return round(LOADED_MIB + (FILE_FACTOR * file_bytes + BYTES_PER_PIXEL[name] * pixels) / MIB)


def totals(summary: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Memory and shared memory of a whole repository, MiB; networks on GPUs are not in it."""
    return {
        "memory_mib": SERVER_MIB + sum(r["instances"] * (r["memory_mib"] or 0) for r in summary),
        "shared_mib": sum(r["instances"] * r["shared_mib"] for r in summary),
    }
