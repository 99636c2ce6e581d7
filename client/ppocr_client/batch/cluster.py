"""Parts on a Ray cluster, or on a local Ray.

Ray Data distributes the parts to the actors with backpressure, and retries those of a lost node.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

# Read when Ray is imported: no usage reports, progress bars or warnings, and enough time to start
# on a busy machine. What the user has set stays.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_raylet_start_wait_time_s": "180",
}
for _name, _value in ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
import ray.data  # noqa: E402

from ppocr_client.batch.parts import Part  # noqa: E402
from ppocr_client.batch.reader import Job, PartReader, PartSummary  # noqa: E402
from ppocr_client.batch.rows import RowStatus  # noqa: E402

OBJECT_STORE_BYTES = 128 * 2**20  # names and summaries are small; the default is 30% of memory


class Tally(NamedTuple):
    """The documents that all actors have finished, and those of them that failed."""

    done: int
    failed: int


@contextlib.contextmanager
def connected(address: str, actors: int | None) -> Iterator[None]:
    """Connect to a cluster; "local" starts one on this machine and stops it at the end.

    Raises:
        ConnectionError: If there is no cluster at the address.
    """
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
    if actors is not None:
        own["num_cpus"] = actors
    try:
        with _silent():
            ray.init(
                address=address,
                logging_level=logging.ERROR,
                log_to_driver=False,
                **(own if address == "local" else {}),
            )
    except Exception as error:  # Ray has no error class for a failed start
        raise ConnectionError(f"cannot reach Ray at {address}: {error}") from error
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Discard the standard error of Ray's libraries during the start; real errors are raised."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def processors() -> int:
    """The number of processors of the cluster."""
    return int(ray.cluster_resources().get("CPU", 1))


class Run:
    """Parts that are read by the cluster."""

    def __init__(self, job: Job, parts: Sequence[Part], actors: int) -> None:
        """Prepare; iterating over `summaries` reads.

        Args:
            job: How to read.
            parts: What to read.
            actors: The number of actors, each on a processor of its own.
        """
        self._counter = ray.remote(num_cpus=0)(_Counter).remote()
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # One part is one row and one task, so that its summary is here as soon as it is finished.
        self._dataset = ray.data.from_items(
            [part._asdict() for part in parts], override_num_blocks=len(parts)
        ).map_batches(
            _Actor,
            fn_constructor_args=(job, self._counter),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=actors),
            num_cpus=1,
        )

    def summaries(self) -> Iterator[PartSummary]:
        """The summary of each part as it is finished."""
        for row in self._dataset.iter_rows():
            values = json.loads(row["summary"])
            failures = [RowStatus(*failure) for failure in values.pop("failures")]
            yield PartSummary(**values, failures=failures)

    def tally(self) -> Tally:
        """The progress of all actors."""
        return Tally(*ray.get(self._counter.get.remote()))


class _Counter:
    """An actor that counts the documents that the others finish."""

    def __init__(self) -> None:
        self._done = self._failed = 0

    def add(self, failed: bool) -> None:
        self._done += 1
        self._failed += failed

    def get(self) -> tuple[int, int]:
        return self._done, self._failed


class _Actor:
    """Reads part after part."""

    def __init__(self, job: Job, counter: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._reader = PartReader(job, lambda failed: counter.add.remote(failed))
        self._loop.run_until_complete(self._reader.start())

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        part = Part(str(batch["name"][0]), [str(path) for path in batch["paths"][0]])
        summary = self._loop.run_until_complete(self._reader.read(part))
        return {"summary": [json.dumps(summary._asdict())]}
