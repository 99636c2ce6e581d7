"""How fast each engine runs the networks of a set on this machine: on real pictures' tensors."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ppocr_converters.graph.onnx_model import inputs, load_onnx
from ppocr_converters.proof.networks import compiled_network
from ppocr_engine.session import Feeds
from ppocr_engine.spec import EngineSpec

#: What is run: so many pictures, and so many lines on them.
PICTURES, LINES = 3, 24
#: A network is run for so long, but each engine so often at least, the first time to warm up.
SECONDS, ROUNDS = 4.0, 3
#: An engine that is further from the reference must be faster by so much to be preferred.
MARGIN = 0.05


def race(
    models: Mapping[str, Path], ways: Mapping[str, Sequence[EngineSpec]]
) -> dict[str, list[float]]:
    """Time every way of every network, in turns.

    Args:
        models: compiled files of "det", "rec" and perhaps "cls".
        ways: in which each may be run.

    Returns:
        By network and in the order of its ways, milliseconds of one run: of a picture for the
        detector, of a line for the others.
    """
    return {
        name: time_in_turns(
            [compiled_network(models[name], way) for way in several], _feeds(name, models)
        )
        for name, several in ways.items()
    }


def time_in_turns(
    networks: Sequence[Callable[[Feeds], object]], feeds: Sequence[Feeds]
) -> list[float]:
    """The mean over all feeds of the shortest run of each, milliseconds, for every network.

    The networks take turns feed by feed, so that whatever else the machine does hits all of them.
    """
    shortest = np.full((len(networks), len(feeds)), np.inf)
    begun, rounds = time.perf_counter(), 0
    while rounds < ROUNDS or time.perf_counter() - begun < SECONDS:
        for column, feed in enumerate(feeds):
            for row, network in enumerate(networks):
                start = time.perf_counter()
                network(feed)
                took = time.perf_counter() - start
                shortest[row, column] = min(shortest[row, column], took)
        rounds += 1
    means: list[float] = (1000 * shortest.mean(axis=1)).tolist()
    return means


def _feeds(name: str, models: Mapping[str, Path]) -> Sequence[Feeds]:
    """What a network is timed on."""
    from ppocr_converters.graph.calibration import calibration_feeds

    model = load_onnx(models[name])
    if name == "cls":  # one shape: what is in the pixels does not matter
        height, width = map(int, inputs(model)[0].shape[1:3])
        return [
            {
                "CROPS": np.zeros((1, height, width, 3), np.uint8),
                "WIDTHS": np.ones((1, 1), np.int32),
            }
        ]
    found = calibration_feeds(model, models["det"])
    if name == "det":
        return list(islice(found, PICTURES))
    lines = list(found)  # the widest first
    return lines[:: max(1, len(lines) // LINES)]
