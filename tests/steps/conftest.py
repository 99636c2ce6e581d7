"""The steps on the CPU, driven alone."""

from collections.abc import Iterator

import pytest
from steps.alone import Steps, steps_alone


@pytest.fixture
def alone() -> Iterator[Steps]:
    with steps_alone() as load:
        yield load
