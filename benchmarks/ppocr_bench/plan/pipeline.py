"""The served pipeline on a machine: its instances, the work of a picture, and what follows at once.

Costs are kept as measured; only their number grows with the lines, and the instances with the
machine. Nothing here is simulated: utilisation and bounds are sums.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from ppocr_bench.errors import BenchError
from ppocr_bench.plan.costs import OTHER, Costs
from ppocr_bench.plan.hardware import Hardware
from ppocr_bench.plan.simulate import Server, Station, Visit
from ppocr_bench.plan.sweep_costs import AROUND, INSIDE, NETWORKS, SERVER

CORES, GPUS = "cores", "GPUs"
#: Steps in the order of a picture; those inside `recognize` are not among them.
ORDER = (SERVER, OTHER, "det_preprocess", "det", "det_postprocess", AROUND)


@dataclass(frozen=True)
class Machine:
    """What a server has: processors by name, and how long their work takes beside the measured."""

    cores: int
    gpus: int = 0
    speed: float = 1.0


def machine_of(hardware: Hardware) -> Machine:
    """A server has a machine to itself."""
    return Machine(hardware.cores, hardware.gpus, hardware.speed)


def build_server(costs: Costs, machine: Machine) -> Server:
    """The stations of a pipeline that was measured, on a machine.

    Instances grow with the cores, those of the networks on a GPU with the GPUs; a step whose
    instances were not told has one a core, as `ppocr-convert build` makes them.

    Raises:
        BenchError: the costs are those of a GPU and the machine has none, or the reverse.
    """
    if costs.gpu != bool(machine.gpus):
        was, has = ("on a GPU", "no GPU") if costs.gpu else ("without a GPU", "a GPU")
        raise BenchError(
            f"the costs were measured {was} and the hardware has {has}: measure on such a machine"
        )
    stations = {SERVER: Station(None, CORES), OTHER: Station(None, CORES)}
    for step in {*costs.picture, *costs.line, AROUND} - stations.keys():
        on_gpu = costs.gpu and step in NETWORKS
        told = costs.instances.get(step)
        grown = machine.gpus if on_gpu else machine.cores / costs.cores
        instances = machine.cores if told is None else max(1, round(told * grown))
        stations[step] = Station(instances, GPUS if on_gpu else CORES)
    return Server(stations, {CORES: machine.cores, **({GPUS: machine.gpus} if costs.gpu else {})})


def picture_of(costs: Costs, machine: Machine, lines: float) -> tuple[Visit, ...]:
    """The visits of a picture with so many lines."""
    calls = math.ceil(lines / costs.batch)
    groups = tuple(
        tuple(visit(costs, machine, name, costs.line[name] * lines / calls) for _ in range(calls))
        for name in INSIDE
        if name in costs.line and calls
    )
    own = costs.line.get(AROUND, 0.0) * lines
    steps = [
        visit(costs, machine, step, costs.picture[step]) for step in ORDER if step in costs.picture
    ]
    return (*steps, visit(costs, machine, AROUND, own, groups))


def visit(
    costs: Costs,
    machine: Machine,
    step: str,
    seconds: float,
    inside: tuple[tuple[Visit, ...], ...] = (),
) -> Visit:
    """A visit of so many measured seconds; a GPU's are not made shorter by faster cores."""
    if costs.gpu and step in NETWORKS:
        return Visit(step, seconds, 1, inside)
    return Visit(step, seconds / machine.speed, costs.threads.get(step, 1), inside)


def pictures_of(
    costs: Costs, machine: Machine, lines: Sequence[float], seed: int
) -> Iterator[tuple[Visit, ...]]:
    """Pictures without end, each with one of these numbers of lines, drawn evenly."""
    random = Random(seed)  # nosec B311 # not for secrets
    kinds = [picture_of(costs, machine, one) for one in lines]
    while True:
        yield random.choice(kinds)  # nosec B311 # not for secrets


@dataclass(frozen=True)
class Demand:
    """What a picture asks of one limited thing, on the average.

    Attributes:
        name: "cores", "GPUs", or "instances of STEP".
        seconds: a picture keeps one of them.
        number: how many there are.
    """

    name: str
    seconds: float
    number: int

    @property
    def limit(self) -> float:
        """Pictures a second at which all of them are always busy."""
        return math.inf if not self.seconds else self.number / self.seconds


def demands(server: Server, pictures: Sequence[Sequence[Visit]]) -> list[Demand]:
    """What fills up first comes first; the pictures are of even weight.

    Instances are kept for as long as nothing else runs, so theirs is the least that can be asked.
    """
    busy = dict.fromkeys(server.processors, 0.0)
    kept = dict.fromkeys(server.stations, 0.0)
    for one in pictures:
        for top in one:
            for each in (top, *(inner for group in top.inside for inner in group)):
                busy[server.stations[each.step].processors] += each.seconds / len(pictures)
                kept[each.step] += _alone(server, each) / len(pictures)
    found = [Demand(name, seconds, server.processors[name]) for name, seconds in busy.items()]
    for step, station in server.stations.items():
        if station.instances is not None and kept[step]:
            found.append(Demand(f"instances of {step}", kept[step], station.instances))
    return sorted(found, key=lambda demand: demand.limit)


def _alone(server: Server, one: Visit) -> float:
    """Seconds of a visit when nothing else runs."""
    station = server.stations[one.step]
    processors = server.processors[station.processors]
    own = one.seconds / min(one.pieces, processors)
    return own + sum(
        max(
            _alone(server, group[0]) * math.ceil(len(group) / _together(server, group[0])),
            sum(each.seconds for each in group) / _of(server, group[0]),
        )
        for group in one.inside
    )


def _of(server: Server, one: Visit) -> int:
    return server.processors[server.stations[one.step].processors]


def _together(server: Server, one: Visit) -> int:
    """Visits of this kind that can be made at the same time."""
    instances = server.stations[one.step].instances
    return 1_000_000 if instances is None else instances


def lower_bound(server: Server, one: Sequence[Visit]) -> float:
    """Seconds that a picture takes at the least: nothing waits but its own lines for each other."""
    return sum(_alone(server, each) for each in one)


def shares(pictures: Sequence[Sequence[Visit]]) -> dict[str, float]:
    """By step, seconds of work a picture; the largest first."""
    found: dict[str, float] = {}
    for one in pictures:
        for top in one:
            for each in (top, *(inner for group in top.inside for inner in group)):
                found[each.step] = found.get(each.step, 0.0) + each.seconds / len(pictures)
    return dict(sorted(found.items(), key=lambda item: -item[1]))
