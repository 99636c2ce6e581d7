"""Which peers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ppocr_bench.bare import Setting
from ppocr_bench.peers.inprocess import bound, paddleocr, rapidocr
from ppocr_bench.peers.peer import Peer
from ppocr_bench.peers.served import ours, paddle_serving

#: A repository by its label: where it is, and how it serves `det` and `rec`.
Repositories = Mapping[str, tuple[Path, tuple[Setting, Setting]]]


def engine_of(det: Setting, rec: Setting) -> str:
    """Engine and precision in words, each network's where they differ."""
    words = [f"{s.spec.backend} {s.spec.precision}".removesuffix(" fp32") for s in (det, rec)]
    return words[0] if words[0] == words[1] else f"det {words[0]}, rec {words[1]}"


def peers(
    repositories: Repositories, wanted: Sequence[str], cores: int, *, mkldnn: bool
) -> list[Peer]:
    """Ours first, one for each repository, then those that are wanted."""
    found = [
        ours(label, folder, f"det: {settings[0]}, rec: {settings[1]}")
        for label, (folder, settings) in repositories.items()
    ]
    if "bound" in wanted:
        for label, (folder, settings) in repositories.items():
            found += bound(label, folder, engine_of(*settings), cores)
    if "paddleocr" in wanted:
        found.append(paddleocr(mkldnn))
    if "rapidocr" in wanted:
        found += rapidocr(cores)
    if "paddle-serving" in wanted:
        found += paddle_serving(cores)
    return found
