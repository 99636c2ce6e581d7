"""plan: how many servers a load needs, from measured costs, and how they will answer."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_bench.arguments import at_least, list_of, positive

if TYPE_CHECKING:
    from ppocr_bench.plan.result import Plan

DAY = 86_400  # seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    load = parser.add_argument_group("load")
    rate = load.add_mutually_exclusive_group(required=True)
    rate.add_argument("--rate", type=positive, metavar="R", help="pictures a second, at the peak")
    rate.add_argument(
        "--pages-per-day", type=positive, metavar="N", help="the same, spread over the whole day"
    )
    load.add_argument(
        "--lines",
        type=list_of(at_least(0)),
        required=True,
        metavar="N,…",
        help="of a picture; several are taken to be equally frequent",
    )
    load.add_argument(
        "--arrivals",
        type=Path,
        metavar="FILE",
        help="measured ones, seconds, one a line, replayed at the rate (default: Poisson)",
    )
    measured = parser.add_argument_group("what was measured")
    measured.add_argument(
        "--costs", type=Path, metavar="FILE", help="a result of sweep, lines or peers, by --out"
    )
    measured.add_argument("--label", help="of the repository, where `peers` served several")
    measured.add_argument(
        "--check", type=Path, metavar="FILE", help="a sweep's result to hold the simulation against"
    )
    hardware = parser.add_argument_group("hardware")
    hardware.add_argument("--hardware", required=True, metavar="NAME", help="of each replica")
    hardware.add_argument(
        "--hardware-file",
        type=Path,
        metavar="FILE",
        help="with your machines and prices (default: examples, in plan/hardware.yml)",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--max-p99-ms", type=positive, metavar="MS", help="in which 99 of 100 are to be answered"
    )
    limits.add_argument(
        "--utilisation",
        type=share,
        default=0.7,
        help="to which the tightest part is filled (default: %(default)g)",
    )
    limits.add_argument(
        "--redundancy",
        type=at_least(0),
        default=1,
        metavar="K",
        help="replicas that may be lost: N + K (default: %(default)s)",
    )
    simulation = parser.add_argument_group("simulation")
    simulation.add_argument(
        "--simulate", type=at_least(100), default=2000, metavar="N", help="default: %(default)s"
    )
    simulation.add_argument("--seed", type=int, default=1000, help="default: %(default)s")


def share(text: str) -> float:
    """A type for numbers above 0 and below 1."""
    number = positive(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not below 1")
    return number


def run(args: argparse.Namespace) -> Plan:
    """Read what was measured, place it on the hardware, and simulate.

    Raises:
        BenchError: costs are missing or do not fit the hardware, or a file cannot be read.
    """
    from ppocr_bench.plan import pipeline
    from ppocr_bench.plan.arrivals import read_gaps
    from ppocr_bench.plan.check import check
    from ppocr_bench.plan.costs import read_costs
    from ppocr_bench.plan.hardware import CLASSES, read_hardware
    from ppocr_bench.plan.result import Plan
    from ppocr_bench.plan.sizing import Load, expect, fewest, least_replicas

    costs = read_costs(args.costs, sum(args.lines) / len(args.lines), args.label)
    hardware = read_hardware(args.hardware_file or CLASSES, args.hardware)
    machine = pipeline.machine_of(hardware)
    server = pipeline.build_server(costs, machine)
    gaps = None if args.arrivals is None else read_gaps(args.arrivals)
    rate = args.rate or args.pages_per_day / DAY
    load = Load(rate, args.lines, gaps, args.simulate, args.seed)
    kinds = [pipeline.picture_of(costs, machine, lines) for lines in args.lines]
    demands = pipeline.demands(server, kinds)
    alone = [pipeline.lower_bound(server, kind) for kind in kinds]
    working, expected, within = fewest(
        partial(expect, costs, server, machine, load),
        least_replicas(rate, demands[0].limit, args.utilisation),
        max(alone) * 1e3,
        args.max_p99_ms,
    )
    checked, notes = ([], ()) if args.check is None else check(args.check, costs, args.seed)
    return Plan(
        load=load,
        costs=costs,
        hardware=hardware,
        working=working,
        spare=args.redundancy,
        demands=demands,
        shares=pipeline.shares(kinds),
        expected=expected,
        max_p99_ms=args.max_p99_ms,
        within=within,
        checked=checked,
        notes=tuple(dict.fromkeys((*costs.notes, *notes))),
    )
