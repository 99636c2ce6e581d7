"""One stage of `gpu run`, in a process of its own: stage.py STAGE BUNDLE OUT."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_bench.clients import Load, client_processes, steps, take
from ppocr_bench.gpu.bound import bound
from ppocr_bench.gpu.reference import Facts, Keep, compare, line_facts, on_cpu
from ppocr_bench.gpu.run import read, write
from ppocr_bench.machine import describe
from ppocr_bench.pictures import Picture, read_picture
from ppocr_bench.target import Serving
from ppocr_bench.verbs.gpu import CPU
from ppocr_bench.verbs.sweep import point
from ppocr_client import OcrClient
from ppocr_client.errors import OcrError
from ppocr_engine.session import import_engine
from ppocr_pipeline.pipeline import Line
from ppocr_server.tritonserver.installation import find_tritonserver
from ppocr_server.tritonserver.process_guard import SHARED_MEMORY
from ppocr_server.tritonserver.server import TritonServer

WARM_UP, TIMEOUT = 0.5, 120.0  # seconds


def main(stage: str, bundle: Path, out: Path) -> None:
    """Run a stage; what it finds goes into its file as soon as it is found."""
    kept, facts = read(out / f"{stage}.json"), read(bundle / "bundle.json")
    keep, job = partial(write, out / f"{stage}.json"), kept["job"]
    kind, _, name = stage.partition("-")
    if kind == "machine":
        return keep(kept | {"machine": machine()})
    own, repository = facts["repositories"][name], bundle / "repositories" / name
    if kind == "bound":
        names = {one for scene in job["scenes"] for one in facts["scenes"][scene]}
        inputs = {one: calls for one, calls in own["inputs"].items() if one in names}
        return bound(repository, inputs, job["provider"], kept, keep)
    if job["provider"] == CPU:
        repository = on_cpu(repository, out / "on_cpu" / name)
    scenes = {
        scene: [read_picture(bundle / "pictures" / one) for one in facts["scenes"][scene]]
        for scene in job["scenes"]
    }
    log = out / f"{stage}-triton.log"
    return serve(repository, log, scenes, facts, own["precisions"], kept, keep)


def machine() -> dict[str, Any]:
    """Processor, memory, GPUs as nvidia-smi lists them, versions, providers, shared memory."""
    runtime = import_engine("onnxruntime")
    found = describe() | {
        "executable": sys.executable,
        "onnxruntime": runtime.__version__,
        "providers": runtime.get_available_providers(),
        "tritonserver": str(find_tritonserver().binary),
        "shm_free_mib": shutil.disk_usage(SHARED_MEMORY).free >> 20,
    }
    if tool := shutil.which("nvidia-smi"):
        done = subprocess.run([tool], capture_output=True, text=True, timeout=20, check=False)
        found["nvidia_smi"] = done.stdout.splitlines()
    return found


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
    with TritonServer(repository, log_path=log, timeout=600) as server, client_processes() as pool:
        kept["ready_seconds"] = time.monotonic() - begin
        found = Serving([], server.pid, f"http://{server.metrics_url}/metrics")
        url = f"grpc://{server.grpc_url}"
        pictures = {one.name: one for own in scenes.values() for one in own}
        kept["answers"] = answers(url, list(pictures.values()), facts["lines"], precisions)
        keep(kept)
        points = kept.setdefault("points", [])
        done = {(one["scene"], one["concurrency"]) for one in points}
        # Few clients first, on every scene: what a limit cuts off is the largest load.
        for count in sorted(job["clients"]):
            wanted = [scene for scene in job["scenes"] if (scene, count) not in done]
            if wanted:  # Processes start and import; the server meets so many at once.
                take(found, Load(url, scenes[wanted[0]]), count, WARM_UP, pool)
            for scene in wanted:
                turn = take(found, Load(url, scenes[scene]), count, job["seconds"], pool)
                busy = {name: spent / turn.seconds for name, spent in turn.run.cpu.items()}
                more = {"steps": steps(turn.counted), "cores_by_step": busy}
                points.append({"scene": scene, **point("grpc", count, [turn]), **more})
                keep(kept)


def answers(
    url: str,
    pictures: Sequence[Picture],
    expected: Mapping[str, Any],
    precisions: Mapping[str, str],
) -> Facts:
    """Ask for every picture twice; how the answers differ from the reference and each other."""
    found: dict[str, list[Facts]] = {}
    problems: list[str] = []
    with OcrClient(url, timeout=TIMEOUT) as client:
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


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
