"""Who is in the pipeline: pictures that were let in and have not left yet.

Pictures leave nearly in their order, so that all are taken to have left that came before the
newest one that did. One that got lost on its way, in an error or because its client gave up, is
forgotten with the next one that arrives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

#: Between two looks at the way out while there is no room, seconds.
LOOK_SECONDS = 0.002
#: After so long in which nobody left, one more is let in: those inside may all be lost.
PATIENCE_SECONDS = 10.0


class Room:
    """Places for so many pictures."""

    def __init__(
        self,
        places: int,
        newest_out: Callable[[], float],
        clock: Callable[[], int],
        sleep: Callable[[float], None],
    ) -> None:
        """Begin empty.

        Args:
            places: from 1 on.
            newest_out: the newest ticket that has left the pipeline.
            clock: nanoseconds that never go back, the same for all processes.
            sleep: seconds.
        """
        self._places, self._newest_out = places, newest_out
        self._clock, self._sleep = clock, sleep
        self._inside: deque[int] = deque()

    def enter(self) -> int:
        """Wait for a place and take it; the ticket, higher than all before it."""
        deadline = self._clock() + PATIENCE_SECONDS * 1e9
        while self._is_full():
            if self._clock() > deadline:
                self._inside.popleft()
            else:
                self._sleep(LOOK_SECONDS)
        ticket = self._clock()
        self._inside.append(ticket)
        return ticket

    def _is_full(self) -> bool:
        """Whether all places are taken; looks at the way out only where they seem to be."""
        if len(self._inside) < self._places:
            return False
        newest = self._newest_out()
        while self._inside and self._inside[0] <= newest:
            self._inside.popleft()
        return len(self._inside) >= self._places
