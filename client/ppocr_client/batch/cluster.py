"""Parts on a Ray cluster, or on a Ray of one's own where there is none.

Ray Data hands the parts to the actors, so many at a time that none waits and none piles up, and
hands a lost machine's part to another.
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

# Ray reports its use to its makers, draws bars and prints warnings of its own if it is not told
# otherwise before it is loaded, and gives itself no time to start on a laden machine; what the user
# has set stays.
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
from ppocr_client.batch.reader import Job, PartReader, Summary  # noqa: E402
from ppocr_client.batch.rows import Done  # noqa: E402

OBJECT_STORE_BYTES = 128 * 2**20  # names and summaries need little; Ray would take a third of all
TOLD_SECONDS = 0.5  # between two messages of an actor about how far it is


class Tally(NamedTuple):
    """How many documents all actors together have finished, and how many of those failed."""

    done: int
    failed: int


@contextlib.contextmanager
def connected(address: str, actors: int | None) -> Iterator[None]:
    """A connection to a cluster; "local" starts one on this machine, and stops it at the end.

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
    except Exception as error:  # Ray has no class of its own for a start that failed
        raise ConnectionError(f"cannot reach Ray at {address}: {error}") from error
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Drop what Ray's libraries say on standard error while they start; they raise what matters."""
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
    """How many processors the cluster has."""
    return int(ray.cluster_resources().get("CPU", 1))


class Run:
    """Parts on their way through the cluster."""

    def __init__(self, job: Job, parts: Sequence[Part], actors: int) -> None:
        """Prepare; iterating over `summaries` reads.

        Args:
            job: How to read.
            parts: What to read.
            actors: How many actors read, each on a processor of its own.
        """
        self._counter = ray.remote(num_cpus=0)(_Counter).remote()
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        # One row a part, one part a task: as soon as a part is finished its summary is here.
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

    def summaries(self) -> Iterator[Summary]:
        """What became of each part, as they are finished."""
        for row in self._dataset.iter_rows():
            values = json.loads(row["summary"])
            failures = [Done(*failure) for failure in values.pop("failures")]
            yield Summary(**values, failures=failures)

    def tally(self) -> Tally:
        """How far all actors together are."""
        done, failed = ray.get(self._counter.get.remote())
        return Tally(done, failed)


class _Counter:
    """An actor that adds up what the others tell it."""

    def __init__(self) -> None:
        self._done = self._failed = 0

    def add(self, done: int, failed: int) -> None:
        self._done += done
        self._failed += failed

    def get(self) -> tuple[int, int]:
        return self._done, self._failed


class _Actor:
    """Reads one part after the other."""

    def __init__(self, job: Job, counter: Any) -> None:
        self._counter = counter
        self._done = self._failed = 0
        self._loop = asyncio.new_event_loop()
        self._reader = PartReader(job, self._count)
        self._loop.run_until_complete(self._reader.start())

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        part = Part(str(batch["name"][0]), [str(path) for path in batch["paths"][0]])
        summary = self._loop.run_until_complete(self._part(part))
        return {"summary": [json.dumps(summary._asdict())]}

    async def _part(self, part: Part) -> Summary:
        telling = asyncio.create_task(self._tell_on())
        try:
            summary = await self._reader.read(part)
        finally:
            telling.cancel()
            self._tell()
        return summary

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(TOLD_SECONDS)
            self._tell()

    def _tell(self) -> None:
        if self._done:
            self._counter.add.remote(self._done, self._failed)
        self._done = self._failed = 0

    def _count(self, failed: bool) -> None:
        self._done += 1
        self._failed += failed
