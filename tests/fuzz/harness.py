"""What a fuzz target is, and the bounds that every input is put through it in."""

import contextlib
import importlib
import logging
import resource
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Protocol

HERE = Path(__file__).parent
CASES = HERE / "cases"
NAMES = sorted(path.stem for path in (HERE / "targets").glob("*.py"))
SECONDS_EACH = 10
MEMORY_BYTES = 1 << 30  # that one process may take beside what it has


class Target(Protocol):
    """A module of `targets`."""

    def one_input(self, data: bytes) -> None:
        """Take one input; an exception is a defect."""

    def seeds(self) -> Iterator[bytes]:
        """Good inputs to start from."""

    def mutate(self, data: bytes, random: Random) -> bytes:
        """Another input, near to one."""


def load_target(name: str) -> Target:
    """The target of a name."""
    target: Any = importlib.import_module(f"{__package__}.targets.{name}")
    return target


def kept_cases(name: str) -> Iterator[Path]:
    """The inputs that once were a defect."""
    return (path for path in sorted((CASES / name).glob("*")) if path.is_file())


def mutants(target: Target, inputs: list[bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """Inputs a few changes away from good ones, the same for the same seed."""
    random = Random(seed)
    for _ in range(count):
        data = random.choice(inputs)
        for _ in range(random.randint(1, 4)):
            data = target.mutate(data, random)
        yield data


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Bounds on memory and silence, as long as inputs are tried."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, hard))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        logging.disable(logging.NOTSET)


def one_input_in_time(target: Target, data: bytes) -> None:
    """Take one input, or fail after SECONDS_EACH of computing; only in the main thread."""

    def late(number: int, frame: Any) -> None:
        raise TimeoutError(f"no answer after {SECONDS_EACH} s of computing")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_EACH)
    try:
        target.one_input(data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
