"""Fuzz one target guided by coverage: `python -m tests.fuzz.run TARGET --seconds N`.

Inputs that reach new code are kept in build/fuzz/TARGET/corpus, where the next run goes on. An
input that is a defect is written to build/fuzz/TARGET, and ends the run with its traceback.
"""

import argparse
import hashlib
import logging
import sys
import warnings
from pathlib import Path
from random import Random

import atheris

from .harness import CASES, NAMES, load_target

# Packages whose branches guide the search: ours, and what they read with. YAML becomes too slow.
GUIDES = {"PIL", "google", "ppocr_converters", "ppocr_pipeline", "ppocr_server", "uvicorn"}
MEGABYTES = 3000
WALL_SECONDS = 60  # of one input, on a machine that may be busy
LONGEST = 1 << 16


def main() -> None:
    """Read the command line and fuzz until time is up."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=60, help="0 is without end")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"))
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.path.append(str(Path(__file__).parents[1]))  # where pytest finds what tests share
    with atheris.instrument_imports(include=[*GUIDES]):
        target = load_target(arguments.target)
    folder = arguments.folder / arguments.target
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        target.one_input(seed)  # what is read once is not counted as slow
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(data, longest))
        return target.mutate(data, random)[:longest]

    options = {
        "max_total_time": arguments.seconds,
        "timeout": WALL_SECONDS,
        "rss_limit_mb": MEGABYTES,
        "max_len": LONGEST,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    cases = CASES / arguments.target
    folders = [str(corpus), *([str(cases)] if cases.is_dir() else [])]
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, *folders], target.one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
