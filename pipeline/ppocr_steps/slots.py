"""Who is in the pipeline: pictures that were let in and have not left yet, one in each slot.

Most say so when they leave, in whatever order. One that got lost on its way, in an error of a
network or because its client gave up, says nothing. It is taken to be lost when a picture that was
let in `LOST_SECONDS` after it has left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

#: More than a repository has pictures in progress.
SLOTS = 4096
MILLISECOND = 1_000_000  # nanoseconds
#: Between two looks at the departures while there is no slot, seconds.
LOOK_SECONDS = 0.002
#: So much later than another one a picture comes that leaves before it only if that one is lost.
LOST_SECONDS = 2.0
LOST_IDS = int(LOST_SECONDS * 1e3) * SLOTS
#: After so long in which nobody left, one more is let in: those inside may all be lost.
PATIENCE_SECONDS = 10.0


class SeenDepartures(Protocol):
    """What is known of those who have left, see `Departures`."""

    def count(self) -> int:
        """How many pictures have left."""
        ...

    def newest(self, slot: int) -> int:
        """The id of the newest picture that has left a slot."""
        ...


def admission_id_at(nanoseconds: int, slot: int) -> int:
    """The id of a picture that is let into a slot at a time.

    It is the milliseconds times `SLOTS`, plus the slot: ids grow, and are exact as the float64 of a
    metric.
    """
    return nanoseconds // MILLISECOND * SLOTS + slot


class Slots:
    """So many slots, each for one picture."""

    def __init__(
        self,
        places: int,
        departures: SeenDepartures,
        clock: Callable[[], int],
        sleep: Callable[[float], None],
    ) -> None:
        """Begin empty.

        Args:
            places: slots, from 1 on.
            departures: who has left.
            clock: nanoseconds that never go back, the same for all processes.
            sleep: seconds.
        """
        self._departures, self._clock, self._sleep = departures, clock, sleep
        self._free = deque(range(min(places, SLOTS)))
        self._inside: dict[int, int] = {}  # the id of each picture by its slot, the oldest first
        self._seen = departures.count()
        self._last_departed = 0  # an id
        self._last_admitted: dict[int, int] = {}  # the last id by slot

    def enter(self) -> int:
        """Wait for a slot and take it; the id of the picture, which no other one has had."""
        deadline = self._clock() + PATIENCE_SECONDS * 1e9
        while not self._free:
            self._look()
            if self._free:
                break
            if self._clock() > deadline:
                self._release(next(iter(self._inside)))
            else:
                self._sleep(LOOK_SECONDS)
        slot = self._free.popleft()
        # A slot that is taken twice within a millisecond must not give the same id twice.
        following = self._last_admitted.get(slot, 0) + SLOTS
        admission_id = max(admission_id_at(self._clock(), slot), following)
        self._inside[slot] = self._last_admitted[slot] = admission_id
        return admission_id

    def _look(self) -> None:
        """Release the slots of those who have left since the last look, and of the lost."""
        count = self._departures.count()
        unseen, self._seen = count - self._seen, count
        for slot, admission_id in list(self._inside.items()):
            if unseen <= 0:
                break
            if self._departures.newest(slot) == admission_id:
                self._last_departed = max(self._last_departed, admission_id)
                self._release(slot)
                unseen -= 1
        for slot, admission_id in list(self._inside.items()):
            if admission_id + LOST_IDS >= self._last_departed:
                break  # and so have all who came later
            self._release(slot)

    def _release(self, slot: int) -> None:
        del self._inside[slot]
        self._free.append(slot)
