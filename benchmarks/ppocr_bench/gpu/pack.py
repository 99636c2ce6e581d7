"""`gpu pack`: runtime, repositories, pictures and reference answers as pieces of one archive."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from ppocr_bench.gpu.reference import make_reference
from ppocr_bench.gpu.runtime import Files, runtime_files
from ppocr_bench.pictures import Picture, read_labels, read_picture
from ppocr_bench.record import BenchError, Result, Table
from ppocr_bench.verbs.gpu import CUDA
from ppocr_converters.pictures.render import encode_page, render_dense_page

Scene = TypeVar("Scene")
SUMS, START, RUN = "SHA256SUMS", "python3", "run.sh"
#: The samples of the scenes. A dense page is rendered, and `mixed` is all of them.
SAMPLES = {"sparse": "sign_vertical.jpg", "poster": "poster_zh.jpg"}
DENSE_SEED, DENSE_LINES = 1000, 116
MB = 10**6
LEVEL = 6  # of gzip: a higher one takes longer and saves little of compiled code


def pack(args: argparse.Namespace) -> Result:
    """Make a bundle; it replaces one that is there.

    Raises:
        BenchError: a repository or a picture is missing, or the folder holds something else.
    """
    if not args.repository:
        raise BenchError(
            "name what is to be measured: --repository DIR, built with "
            "`ppocr-convert build --profile gpu --cores N`, N being those of the GPU machine"
        )
    scenes = chosen(gather_scenes(args.samples, args.images), args.scenes)
    pictures = {one.name: one for own in scenes.values() for one in own}
    with tempfile.TemporaryDirectory() as made:
        facts = make_reference(args.repository, list(pictures.values()))
        facts |= {"scenes": {name: [one.name for one in own] for name, own in scenes.items()}}
        facts |= {"provider": args.provider or CUDA}
        files = dict(write_facts(Path(made), facts, pictures))
        for name, folder in zip(facts["repositories"], args.repository, strict=True):
            files |= {
                f"repositories/{name}/{path.relative_to(folder)}": path
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
        if not args.no_runtime:
            files |= runtime_files(facts["provider"], Path(made))
            files[START] = Path(made) / START
        sums = write_pieces(args.bundle, files, args.piece_mb * MB)
    sizes = [(args.bundle / name).stat().st_size for name in sums]
    return Result(
        f"{args.bundle}: {len(files)} files in {len(sums)} pieces, {sum(sizes) / MB:.1f} MB; copy "
        f"the folder, then: sh {args.bundle.name}/{RUN} DIR",
        settings={name: facts[name] for name in ("provider", "scenes", "repositories")},
        tables={"pieces": Table([{"piece": name, "sha256": sums[name]} for name in sums])},
    )


def gather_scenes(samples: Path, images: Sequence[Path]) -> dict[str, list[Picture]]:
    """The pictures of each scene."""
    found = {one.name: one for one in read_labels(samples)}
    dense = render_dense_page(DENSE_SEED, DENSE_LINES)
    page = Picture(dense.name, encode_page(dense))
    scenes = {scene: [found[name]] for scene, name in SAMPLES.items()}
    scenes |= {"dense": [page], "mixed": [*found.values(), page]}
    return scenes | ({"own": [read_picture(path) for path in images]} if images else {})


def chosen(scenes: Mapping[str, Scene], names: Sequence[str]) -> Mapping[str, Scene]:
    """The scenes of these names, all where there are none; BenchError for one that is not there."""
    if unknown := sorted(set(names) - set(scenes)):
        raise BenchError(f"--scenes {', '.join(unknown)}: there are {', '.join(scenes)}")
    return {name: scenes[name] for name in names or scenes}


def write_facts(folder: Path, facts: Mapping[str, Any], pictures: Mapping[str, Picture]) -> Files:
    """The files of a bundle that are nowhere yet."""
    (folder / "pictures").mkdir()
    for one in pictures.values():
        (folder / "pictures" / one.name).write_bytes(one.data)
    text = json.dumps(facts, ensure_ascii=False, indent=1)
    (folder / "bundle.json").write_text(text, "utf-8")
    (folder / START).write_text(_script("python3.sh"), "utf-8")
    (folder / START).chmod(0o755)
    names = ["bundle.json", *(f"pictures/{name}" for name in pictures)]
    return {name: folder / name for name in names}


def write_pieces(target: Path, files: Files, size: int) -> dict[str, str]:
    """Write the archive, its sums, and the script that unpacks it; the sums by piece."""
    if target.exists() and not (target / SUMS).is_file() and any(target.iterdir()):
        raise BenchError(f"{target} holds something that is no bundle; name another folder")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = ["split", "-a4", "--numeric-suffixes=1", f"-b{size}", "-", str(target / "piece-")]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE) as split,
        gzip.GzipFile("", "wb", LEVEL, split.stdin, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", dereference=True) as archive,
    ):
        for name, path in tqdm(files.items(), "packing", unit="file", disable=None):
            archive.add(path, name, recursive=False, filter=_plain)
    if split.returncode:
        raise BenchError(f"{target} cannot be written: split ended with {split.returncode}")
    pieces = sorted(target.iterdir())
    sums = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in pieces}
    lines = [f"{digest}  {name}\n" for name, digest in sums.items()]
    (target / SUMS).write_text("".join(lines), "utf-8")
    (target / RUN).write_text(_script("run.sh"), "utf-8")
    return sums


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owner and time, so that equal files make equal pieces."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
