"""A network that is loaded and can be run, whatever the engine."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_engine.environment import disable_telemetry
from ppocr_engine.errors import EngineError

Array = npt.NDArray[np.generic]
Feeds = Mapping[str, Array]
#: A dimension that is not fixed.
ANY = -1


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph: Triton's type and all dimensions, -1 where variable."""

    name: str
    data_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Session:
    """A loaded network; several threads may run it at the same time.

    Attributes:
        inputs: that every run needs, by name.
        feedable: these, and the initializers that may be given.
        outputs: by name, in the order of the graph.
        run: feeds and the names of the outputs wanted to these outputs, which nothing overwrites.
        errors: everything that `run` raises where a request is at fault.
        said: of such an error, what Triton's C++ backend would say.
        description: what the engine was opened with, for logs.
        notes: what the configuration asks for without effect, a sentence each.
    """

    inputs: Mapping[str, Tensor]
    feedable: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    run: Callable[[Feeds, Sequence[str]], Mapping[str, Array]]
    errors: tuple[type[Exception], ...]
    said: Callable[[Exception], str]
    description: str
    notes: tuple[str, ...] = ()

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Run once; all outputs in the order of the graph. Feeds of other names are left out."""
        given = {name: feeds[name] for name in self.inputs}
        return list(self.run(given, list(self.outputs)).values())


def graph_tensors(
    nodes: Iterable[tuple[str, str, Sequence[object]]], types: Mapping[str, str], engine: str
) -> dict[str, Tensor]:
    """Return the tensors by name.

    Args:
        nodes: name, the engine's name of the type, and dimensions; whatever is not a whole number
            from 0 on is variable.
        types: Triton's name of each type that the engine names.
        engine: for messages.

    Raises:
        EngineError: a type cannot be served (strings, bfloat16, sequences, maps).
    """
    tensors = {}
    for name, kind, dims in nodes:
        if kind not in types:
            raise EngineError(
                f"the graph's tensor '{name}' is a {kind}, which cannot be run by {engine} here; "
                f"allowed are {', '.join(types)}"
            )
        shape = tuple(size if isinstance(size, int) and size >= 0 else ANY for size in dims)
        tensors[name] = Tensor(name, types[kind], shape)
    return tensors


def import_engine(name: str) -> Any:
    """Import the package of an engine, without its telemetry.

    Raises:
        EngineError: it is not installed.
    """
    disable_telemetry()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise EngineError(
            f"{name} is not installed; install it with: pip install 'ppocr-triton[serve]'"
        ) from error
