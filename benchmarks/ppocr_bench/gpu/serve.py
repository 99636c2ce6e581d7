"""The stage `serve`: a repository's answers, and what its server does under rising load."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

from ppocr_bench.gpu.reference import Facts, Keep, compare, line_facts
from ppocr_bench.load import closed_loop
from ppocr_bench.pictures import Picture
from ppocr_bench.processes import cpu_since, cpu_snapshot
from ppocr_bench.record import Run, percentile_ms
from ppocr_bench.server_statistics import between, read_metrics, steps, totals
from ppocr_bench.target import sender
from ppocr_bench.verbs.overload import told
from ppocr_client import OcrClient
from ppocr_client.errors import OcrError
from ppocr_engine.machine import available_cores
from ppocr_pipeline.pipeline import Line
from ppocr_server.tritonserver.server import TritonServer

#: Clients that one process can keep busy: each picture costs it time, and Python runs one thread.
CLIENTS_A_PROCESS, PROCESSES = 8, 4
PERCENTILES = (50, 95, 99)
WARM_UP, TIMEOUT = 0.5, 120.0  # seconds
#: Of nvidia-smi, with the name that each has here.
GPU_FIELDS = {
    "utilization.gpu": "gpu_percent",
    "memory.used": "gpu_memory_mib",
    "power.draw": "gpu_watts",
    "clocks.sm": "gpu_mhz",
}


def serve(
    repository: Path,
    log: Path,
    scenes: Mapping[str, Sequence[Picture]],
    facts: Facts,
    precisions: Mapping[str, str],
    kept: Facts,
    keep: Keep,
) -> None:
    """Start the server, check its answers, and load it; what `kept` has is not done again.

    Args:
        repository: to serve.
        log: of tritonserver.
        scenes: pictures by scene.
        facts: of the bundle, with the lines that are expected.
        precisions: of the repository's networks.
        kept: the stage's results, and its job.
        keep: writes them.
    """
    begin, job = time.monotonic(), kept["job"]
    with TritonServer(repository, log_path=log, timeout=600) as server:
        kept["ready_seconds"] = time.monotonic() - begin
        pictures = {one.name: one for own in scenes.values() for one in own}
        kept["answers"] = answers(server, list(pictures.values()), facts["lines"], precisions)
        keep(kept)
        points = kept.setdefault("points", [])
        done = {(one["scene"], one["clients"]) for one in points}
        # Few clients first, on every scene: what a limit cuts off is the largest load.
        for count in sorted(job["clients"]):
            shares = shares_of(count)
            with ProcessPoolExecutor(len(shares), multiprocessing.get_context("spawn")) as pool:
                wanted = [scene for scene in job["scenes"] if (scene, count) not in done]
                if wanted:  # Processes start and import; the server meets so many at once.
                    measure(server, pool, scenes[wanted[0]], shares, WARM_UP)
                for scene in wanted:
                    found = measure(server, pool, scenes[scene], shares, job["seconds"])
                    points.append({"scene": scene, "clients": count, **found})
                    keep(kept)


def shares_of(clients: int) -> list[int]:
    """How many clients each process runs."""
    count = max(1, min(PROCESSES, available_cores() // 2, clients // CLIENTS_A_PROCESS))
    return [clients // count + (number < clients % count) for number in range(count)]


def answers(
    server: TritonServer,
    pictures: Sequence[Picture],
    expected: Mapping[str, Any],
    precisions: Mapping[str, str],
) -> Facts:
    """Ask for every picture twice; how the answers differ from the reference and each other."""
    found: dict[str, list[Facts]] = {}
    problems: list[str] = []
    with OcrClient(f"grpc://{server.grpc_url}", timeout=TIMEOUT) as client:
        for one in pictures:
            try:
                first, second = (client.read(one.data).lines for _ in range(2))
            except OcrError as error:
                problems.append(f"{one.name}: {error}")
                continue
            found[one.name] = [
                line_facts(Line(line.text, line.score, line.box, line.box_score)) for line in first
            ]
            if [(a.text, a.box.tolist()) for a in first] != [
                (b.text, b.box.tolist()) for b in second
            ]:
                problems.append(f"{one.name}: two answers differ")
    compared = compare(expected, found, precisions)
    return compared | {"problems": [*problems, *compared["problems"]]}


def measure(
    server: TritonServer,
    pool: ProcessPoolExecutor,
    pictures: Sequence[Picture],
    shares: Sequence[int],
    seconds: float,
) -> Facts:
    """One load: throughput, latency, cores by process, steps, the GPU."""
    url, metrics = f"grpc://{server.grpc_url}", f"http://{server.metrics_url}/metrics"
    with gpu_use() as gpu:
        counted = totals(read_metrics(metrics))
        cpu, begin = cpu_snapshot(server.pid), time.monotonic()
        parts = [pool.submit(client, url, pictures, share, seconds) for share in shares]
        done = [part.result() for part in parts]
        used, whole = cpu_since(server.pid, cpu), time.monotonic() - begin
        counted = between(counted, totals(read_metrics(metrics)))
    runs = [run for run, _ in done]
    begins, ends = [run.begin for run in runs], [run.end for run in runs]
    window = max(begins), min(ends)
    if window[0] >= window[1]:  # A slow server: one process has its answers before another.
        window = min(begins), max(ends)
    run = Run(*window, [answer for run in runs for answer in run.answers])
    return {
        "pictures_per_second": run.per_second,
        **{f"p{percent}_ms": percentile_ms(run.latencies(), percent) for percent in PERCENTILES},
        "statuses": run.statuses,
        "cores": sum(used.values()) / whole,
        "client_cores": sum(spent for _, spent in done) / whole,
        **{name: fmean(values) for name, values in gpu.items() if values},
        "cores_by_step": {name: spent / whole for name, spent in used.items()},
        "steps": steps(counted),
    }


def client(
    url: str, pictures: Sequence[Picture], clients: int, seconds: float
) -> tuple[Run, float]:
    """Clients in a process of their own, and the processor seconds that they took."""
    spent = time.process_time()
    with sender(url, pictures, timeout=TIMEOUT) as send:
        run = closed_loop(told(send), clients, seconds=seconds)
    return run, time.process_time() - spent


@contextlib.contextmanager
def gpu_use() -> Iterator[dict[str, list[float]]]:
    """What nvidia-smi says five times a second of the GPUs that are seen; nothing without one."""
    found: dict[str, list[float]] = {name: [] for name in GPU_FIELDS.values()}
    command = ["nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader,nounits"]
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        command.append(f"--id={visible}")
    try:
        asked = subprocess.Popen([*command, "-lms", "200"], stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        yield found
        return

    def read() -> None:
        assert asked.stdout is not None
        for line in asked.stdout:
            for values, text in zip(found.values(), line.split(","), strict=False):
                with contextlib.suppress(ValueError):  # "[N/A]" of a part of a GPU (MIG)
                    values.append(float(text))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield found
    finally:
        asked.terminate()
        thread.join()
        asked.wait()
