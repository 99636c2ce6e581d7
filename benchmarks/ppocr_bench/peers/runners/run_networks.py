"""Run the two bare networks of a repository on the tensors of pictures, and read nothing.

A process of its own, so that one on every core is not held up by another; it speaks `child`'s
protocol and answers that there are no lines.

    python run_networks.py --repository DIR PICTURE...
"""

from __future__ import annotations

import argparse
from importlib import metadata
from pathlib import Path
from typing import Any

from ppocr_bench.networks import Networks

# First, before a library prints.
from ppocr_bench.peers.runners import child


def main() -> None:
    """Run until there are no more requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    parser.add_argument("--as-served", action="store_true", help="on all cores, not on one")
    parser.add_argument("pictures", nargs="+", help="all that will be asked for")
    args = parser.parse_args()
    networks = Networks(args.repository, single=not args.as_served)
    works = {path: networks.work_of(Path(path).read_bytes()) for path in args.pictures}

    def read(path: str) -> list[tuple[str, float, Any]]:
        networks.run(works[path])
        return []

    engine = networks.settings["det"].spec.backend
    child.serve({engine: metadata.version(engine)}, read)


if __name__ == "__main__":
    main()
