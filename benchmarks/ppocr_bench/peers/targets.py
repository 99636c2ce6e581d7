"""What ours is meant to reach beside each peer on 2 cores; a miss is information, not a failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppocr_bench.peers.result import Peers, Row

SATURATED = (4, 8)  # clients
#: Pictures/s over those of a peer with 4 and 8 clients, by engine; {label} is the repository's.
THROUGHPUT: dict[str, dict[str, float]] = {
    "bound ({label})": {"onnxruntime": 0.90, "openvino": 0.90},
    "Paddle Serving, as shipped": {"onnxruntime": 2.0, "openvino": 3.0},
    "Paddle Serving, tuned": {"onnxruntime": 1.7, "openvino": 2.5},
    "RapidOCR, all threads": {"onnxruntime": 1.3, "openvino": 2.0},
    "RapidOCR, a process a core": {"onnxruntime": 1.3, "openvino": 2.0},
}
#: With one client.
LATENCY_OVER = "RapidOCR, all threads"
NOT_INFERENCE = 0.12  # share of a picture's time
TAIL = 1.5  # p99 over p50 of any picture
#: With 8 clients: 1.2 GB of every process of the server together.
PSS_MIB = 1.2e9 / 2**20


@dataclass(frozen=True)
class Found:
    """One target and what was found.

    Attributes:
        text: what is held against what.
        workload: on which pictures.
        value: found.
        limit: wanted, as shown.
        met: whether it is reached.
    """

    text: str
    workload: str
    value: float
    limit: str
    met: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def judge(result: Peers) -> list[Found]:
    """Every target whose figures are there."""
    return [
        found
        for workload in result.workloads
        for label, engine in result.labels.items()
        for found in (
            *_throughput(result, workload, label, engine),
            *_alone(result, workload, label),
            *_memory(result, workload, label),
        )
    ]


def _throughput(result: Peers, workload: str, label: str, engine: str) -> Iterator[Found]:
    for pattern, limits in THROUGHPUT.items():
        peer, limit = pattern.format(label=label), limits[engine]
        for clients in SATURATED:
            row = result.find(workload, peer, clients)
            ratio = None if row is None else result.ratios(row).get(label)
            if ratio is not None:
                text = f"{label}: pictures/s over {peer}, {clients} clients"
                yield Found(text, workload, ratio, f">= {limit:.2f}", ratio >= limit)


def _alone(result: Peers, workload: str, label: str) -> Iterator[Found]:
    served = _row(result, workload, label, 1)
    if served is None:
        return
    other = result.find(workload, LATENCY_OVER, 1)
    if other is not None:
        ratio = served.seconds / other.seconds
        text = f"{label}: latency over {LATENCY_OVER}, 1 client"
        yield Found(text, workload, ratio, "<= 1.00", ratio <= 1)
    bound = result.find(workload, f"bound ({label})", 1)
    if bound is not None:
        share = 1 - bound.seconds / served.seconds
        text = f"{label}: share of the time that is not inference, 1 client"
        yield Found(text, workload, share, f"<= {NOT_INFERENCE:.2f}", share <= NOT_INFERENCE)
    text = f"{label}: p99 over p50, 1 client"
    yield Found(text, workload, served.tail, f"<= {TAIL:.2f}", served.tail <= TAIL)


def _memory(result: Peers, workload: str, label: str) -> Iterator[Found]:
    served = _row(result, workload, label, 8)
    if served is not None:
        text, mib = f"{label}: memory (PSS MiB), 8 clients", served.pss_mib
        yield Found(text, workload, mib, f"<= {PSS_MIB:.0f}", mib <= PSS_MIB)


def _row(result: Peers, workload: str, label: str, clients: int) -> Row | None:
    return result.find(workload, f"ours ({label})", clients)
