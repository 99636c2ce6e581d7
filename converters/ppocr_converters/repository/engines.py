"""Native engines: a built repository turned into one for Triton's backend "tensorrt"."""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ppocr_converters.errors import RepositoryError
from ppocr_converters.files import new_folder, sha256_files
from ppocr_converters.repository.configuration import CONFIG
from ppocr_converters.repository.layout import WEIGHTS
from ppocr_converters.repository.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from ppocr_converters.repository.shapes import Buckets, prepared_rows, spelled
from ppocr_engine.config_pbtxt import read_config, write_config
from ppocr_engine.parameters import PARAMETERS
from ppocr_engine.tensorrt_engines import Machine, built_with, this_machine

logger = logging.getLogger(__name__)

PLAN = "model.plan"
TIMING_CACHE = "timing.cache"
#: Where NVIDIA's containers have it.
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
#: GPU memory that one layer may use while an engine is built and run, MiB.
WORKSPACE_MIB = 2048


def plan_commands(
    repository: Path, *, trtexec: str = TRTEXEC, timing_cache: Path | None = None
) -> dict[str, list[str]]:
    """The command that builds the engine of each network, with a profile for each bucket.

    Every layer computes in the types of the file. TensorRT 10 must be told so; TensorRT 11 knows
    nothing else and takes the flag as well. The timing cache is a file beside the repository
    unless another one is named.
    """
    cache = timing_cache or repository.parent / TIMING_CACHE
    commands = {}
    for name, buckets in _read(repository)["shapes"].items():
        commands[name] = [
            trtexec,
            f"--onnx={repository / name / WEIGHTS}",
            f"--saveEngine={repository / name / '1' / PLAN}",
            f"--timingCacheFile={cache}",
            f"--memPoolSize=workspace:{WORKSPACE_MIB}",
            "--skipInference",
            "--stronglyTyped",
        ]
        for index, bucket in enumerate(buckets.values()):
            shapes = [f"--{what}Shapes={shapes}" for what, shapes in spelled(bucket).items()]
            commands[name] += [f"--profile={index}", *shapes]
    return commands


def build_engines(
    repository: Path, out: Path, *, trtexec: str = TRTEXEC, machine: Machine | None = None
) -> Manifest:
    """Build the engines of a repository on this machine, into a repository of their own.

    `machine` is what they are recorded to be built with; by default this machine.

    Returns:
        The manifest of `out`.

    Raises:
        RepositoryError: there is no trtexec or no GPU here, or it failed.
    """
    found = shutil.which(trtexec)
    if found is None:
        raise RepositoryError(
            f"{trtexec} is not here; run this in the container that will serve, "
            f"or name the program with --trtexec. --print shows the commands"
        )
    machine = machine or this_machine()
    if not machine.gpus:
        raise RepositoryError("no NVIDIA GPU is here: engines are built on the GPU that runs them")
    manifest = _read(repository)
    cache = (out.parent / TIMING_CACHE).resolve()
    with new_folder(out) as fresh:
        shutil.copytree(repository, fresh, dirs_exist_ok=True)
        commands = plan_commands(fresh, trtexec=found, timing_cache=cache)
        for name, command in commands.items():
            logger.info("building the engine of %s", name)
            _run(name, command)
            (fresh / name / WEIGHTS).unlink()
            config = read_config(fresh / name / CONFIG)
            _to_native(config, manifest["shapes"][name])
            write_config(fresh / name / CONFIG, config)
        manifest["tensorrt"] = {**built_with(machine), "commands": commands}
        manifest["files"] = sha256_files(fresh, ignore=(MANIFEST,))
        write_manifest(fresh / MANIFEST, manifest)
    return manifest


def _read(repository: Path) -> Manifest:
    """The manifest of a repository that engines can be built for."""
    manifest = read_manifest(repository / MANIFEST)
    if manifest is None:
        raise RepositoryError(f"{repository} was not built by ppocr-convert (it has no {MANIFEST})")
    shapes = manifest.get("shapes")
    if not shapes or not all(isinstance(buckets, dict) for buckets in shapes.values()):
        raise RepositoryError(
            f"{repository} was built without shapes, or by an older version; build it again with "
            f"--profile tensorrt"
        )
    return manifest


def _to_native(config: Any, buckets: Buckets) -> None:
    """Turn a network's configuration into one for an engine in the backend "tensorrt".

    Every instance may run every profile, and Triton takes the one nearest to a request. CUDA
    graphs are captured for the usual shape of each bucket, with `prepared_rows`.
    """
    config.backend, config.platform = "tensorrt", ""
    config.default_model_filename = PLAN
    config.optimization.ClearField("execution_accelerators")
    for name in PARAMETERS["onnxruntime"]:
        config.parameters.pop(name, None)
    for group in config.instance_group:
        del group.profile[:]
        group.profile.extend(str(index) for index in range(len(buckets)))
    config.max_batch_size = max(r["max"][0] for b in buckets.values() for r in b.values())
    cuda = config.optimization.cuda
    cuda.Clear()
    cuda.graphs, cuda.busy_wait_events, cuda.output_copy_stream = True, True, True
    for bucket in buckets.values():
        for rows in prepared_rows(bucket):
            spec = cuda.graph_spec.add(batch_size=rows)
            for name, range_ in bucket.items():
                spec.input[name].dim.extend(range_["opt"][1:])


def script(commands: Sequence[Sequence[str]]) -> str:
    """The commands as a shell script that stops at the first failure."""
    lines = [" \\\n  ".join(shlex.quote(part) for part in command) for command in commands]
    return "\n".join(["#!/bin/sh", "set -eu", *lines, ""])


def _run(name: str, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RepositoryError(
            f"trtexec could not build the engine of {name} (exit code {done.returncode}): "
            f"{' | '.join(said[-3:]) or 'it said nothing'}"
        )
