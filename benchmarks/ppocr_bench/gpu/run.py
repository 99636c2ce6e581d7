"""`gpu run`: the stages of a bundle one after the other, each in a process with a time limit."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ppocr_bench.gpu.pack import RUN, SUMS, chosen
from ppocr_bench.record import BenchError, Result, Table

LOG = logging.getLogger(__name__)
#: Seconds that a stage may take; `--minutes` is of all together.
LIMITS = {"machine": 40, "serve": 160, "bound": 75}
TO_STOP = 20.0  # seconds for a stage to end its server
POINTS = ["repository", "scene", "concurrency", "pictures_per_second", "p50_ms", "p90_ms"]
POINTS += ["p99_ms", "of_bound_percent", "failed", "cores", "client_cpu_ms", "gpu_percent"]
POINTS += ["gpu_memory_mib", "det_batch", "rec_batch"]
BOUNDS = ["repository", "picture", "way", "networks_ms"]


def run_bundle(args: argparse.Namespace) -> Result:
    """Run what is not done yet, and say all of it.

    Raises:
        BenchError: this is no bundle, or there is no --out.
    """
    if args.out is None:
        raise BenchError("name a folder for the results with --out")
    facts = read(args.bundle / "bundle.json")
    if not facts:
        raise BenchError(f"{args.bundle} is no bundle that is unpacked; its {RUN} does that")
    args.out.mkdir(parents=True, exist_ok=True)
    job = {"clients": args.clients, "seconds": args.seconds}
    job |= {"provider": args.provider or facts["provider"]}
    job |= {"scenes": list(chosen(facts["scenes"], args.scenes))}
    end = time.monotonic() + args.minutes * 60
    names = list(facts["repositories"])
    stages = ["machine", *(f"{kind}-{name}" for kind in ("serve", "bound") for name in names)]
    for stage in stages:
        run_stage(stage, args, job, end - time.monotonic())
    return result({stage: read(args.out / f"{stage}.json") for stage in stages}, facts["scenes"])


def run_stage(stage: str, args: argparse.Namespace, job: Mapping[str, Any], left: float) -> None:
    """Run one stage if it is not done; its end, good or bad, is in its file."""
    path = args.out / f"{stage}.json"
    wanted = {**job, "bundle": read_text(args.bundle / SUMS)}
    kept = read(path)
    if kept.get("job") == wanted and kept.get("done"):
        return LOG.info("%s: kept", stage)
    if kept.get("job") != wanted:
        kept = {"job": wanted}
    limit = min(LIMITS[stage.partition("-")[0]], left - TO_STOP)
    short = "there was no time left; run it again, or with more --minutes"
    write(path, kept | {"error": "it did not end" if limit > 0 else short, "done": False})
    if limit <= 0:
        return LOG.warning("%s: %s", stage, short)
    LOG.info("%s: up to %.0f s", stage, limit)
    begin = time.monotonic()
    words = [sys.executable, "-m", "ppocr_bench.gpu.stage", stage, str(args.bundle), str(args.out)]
    with (args.out / f"{stage}.log").open("ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        error = ended(process, limit)
    kept = read(path)
    kept |= {"error": error, "done": not error, "seconds": time.monotonic() - begin}
    write(path, kept)
    LOG.info("%s: %s, %.0f s", stage, error or "done", kept["seconds"])
    return None


def ended(process: subprocess.Popen[bytes], limit: float) -> str:
    """What was wrong with a process, nothing if it ended well; it is gone then."""
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        # The server's guard stops the server when the process that started it is gone.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"it was stopped at its limit of {limit:.0f} s; what was measured is kept"
    return f"ended with status {status}; its log has the reason" if status else ""


def result(stages: Mapping[str, Mapping[str, Any]], scenes: Mapping[str, Sequence[str]]) -> Result:
    """It passes where every stage ended well and every answer is within its bounds."""
    points: list[dict[str, Any]] = []
    bounds: list[dict[str, Any]] = []
    failed: list[str] = []
    notes: list[str] = []
    for stage, kept in stages.items():
        own = {"repository": stage.partition("-")[2]}
        said = [kept["error"], *kept.get("answers", {}).get("problems", ())]
        failed += [f"{stage}: FAILED: {one}" for one in said if one]
        notes += way_errors(stage, kept.get("rows", ()))
        points += [own | point_row(one) for one in kept.get("points", ())]
        bounds += [own | one for one in kept.get("pages", ())]
    for point in points:
        point["of_bound_percent"] = of_bound(point, bounds, scenes[point["scene"]])
    best = max((one["pictures_per_second"] for one in points), default=0.0)
    return Result(
        f"{sum(not kept['error'] for kept in stages.values())} of {len(stages)} stages; at best "
        f"{best:.1f} pictures/s",
        ok=not failed,
        settings={"stages": dict(stages)},
        tables={
            "points": Table(points, POINTS if points else (), "Load"),
            "bounds": Table(bounds, BOUNDS if bounds else (), "Networks alone, requests merged"),
        },
        notes=[*failed, *notes],
    )


def point_row(point: Mapping[str, Any]) -> dict[str, Any]:
    """A load as a row, with the batches that the networks ran."""
    steps = point["steps"]
    batches = {f"{name}_batch": steps.get(name, {}).get("batch") for name in ("det", "rec")}
    return {**dict.fromkeys(POINTS[1:]), **point, **batches}


def of_bound(
    point: Mapping[str, Any], bounds: Sequence[Mapping[str, Any]], pictures: Sequence[str]
) -> float | None:
    """Throughput by what the networks alone allow on these pictures; None where that is unknown."""
    least: dict[str, float] = {}
    for row in bounds:
        if row["repository"] == point["repository"]:
            known = least.get(row["picture"], row["networks_ms"])
            least[row["picture"]] = min(known, row["networks_ms"])
    if not set(pictures) <= set(least):
        return None
    return float(point["pictures_per_second"]) * fmean(least[one] for one in pictures) / 10


def way_errors(stage: str, rows: Any) -> Iterator[str]:
    """One sentence for each way in which a network could not be run."""
    said = {(row["network"], row["way"]): row["error"] for row in rows if "error" in row}
    for (network, way), error in said.items():
        yield f"{stage}: {network} by {way} could not be run: {error}"


def read(path: Path) -> dict[str, Any]:
    """What a file holds, {} where it is not there."""
    text = read_text(path)
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def read_text(path: Path) -> str:
    """A file's text, empty where it is not there."""
    return path.read_text("utf-8") if path.is_file() else ""


def write(path: Path, facts: Mapping[str, Any]) -> None:
    """Write a file at once, so that it is whole whenever the power goes."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")
    new.replace(path)
