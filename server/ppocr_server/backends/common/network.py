"""What an engine hands to its stand-in: a network that is loaded and can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ppocr_server.backends.common.batching import Array, Feeds
from ppocr_server.backends.common.tensors import Tensor


@dataclass(frozen=True)
class Network:
    """A network as one instance runs it.

    Attributes:
        required: the inputs that every run needs, by name.
        feedable: these, and the initializers that may be given.
        outputs: by name.
        run: feeds and the names of the outputs wanted to these outputs, which nothing overwrites.
        errors: everything that `run` raises where a request is at fault.
        description: its settings, for the log.
        ignored: what the configuration asks for without effect, a sentence each.
    """

    required: Mapping[str, Tensor]
    feedable: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    run: Callable[[Feeds, Sequence[str]], Mapping[str, Array]]
    errors: tuple[type[Exception], ...]
    description: str
    ignored: tuple[str, ...] = ()
