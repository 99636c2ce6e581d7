"""Calls of networks, made by whoever runs the code that yields them.

A generator yields calls and is sent their answers, so that a Triton step can make several at a
time and `Pipeline` one after the other, with the same code.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

#: INDICES int32 [N, T] and PROBABILITIES float32 [N, T] of one call.
Answer = Sequence[np.ndarray]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Call:
    """One call of a network.

    Attributes:
        network: "rec", "cls" or "page_orientation".
        feeds: the arrays it is given, by the name of the input.
    """

    network: str
    feeds: Mapping[str, np.ndarray]


#: Yields calls that may run at the same time, is sent their answers in the same order.
Calls = Generator[Iterable[Call], Sequence[Answer], Result]
