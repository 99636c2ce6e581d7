"""Fetching models: from the catalogue's sources, or from a folder or wheel at hand."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from ppocr_converters.catalogue.archives import take_files
from ppocr_converters.catalogue.download import check_file, download
from ppocr_converters.catalogue.entries import Asset, FileSpec, Kind, Model, Source
from ppocr_converters.catalogue.lock import default_lock, read_lock, record
from ppocr_converters.errors import FetchError
from ppocr_converters.files import sha256_file
from ppocr_converters.pip import run_pip

logger = logging.getLogger(__name__)

#: The name of a recogniser's dictionary beside its network, whatever it is called at its source.
DICTIONARY = "dictionary.txt"
#: Where archives and wheels are kept between calls, in the folder of all models.
DOWNLOADS = ".downloads"
#: What each kind of source that can be asked for stands for.
KINDS = {
    "wheel": frozenset({"wheel"}),
    "archive": frozenset({"archive", "files", "url"}),  # every address, whatever lies there
    "files": frozenset({"files", "url"}),
}
#: What to do about a model that cannot be had; every command can follow it.
REMEDY = (
    "try again later, or get the model with `ppocr-convert fetch NAME` from another address "
    "(--mirror) or from files at hand (--from-dir, --from-wheel)"
)
#: Hosts that no network lies before.
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Supply:
    """Where files come from and how they are held to what is known of them.

    Attributes:
        origin: which kind of source to use, of `KINDS`; by default all, as the catalogue has them.
        wheel: a wheel at hand to take the files from, in place of the package index.
        folder: a folder at hand that holds the files, or a folder of each model's name with
            them, in place of any source.
    """

    origin: str | None = None
    wheel: Path | None = None
    folder: Path | None = None
    mirror: str | None = None


def fetch(model: Model, models: Path, supply: Supply | None = None) -> Path:
    """Bring a model, with its dictionary, into `<models>/<name>` and check every file.

    Files that are there and right are not fetched again; a damaged one is replaced. A file whose
    digest nobody published is recorded in the lock file when it is first seen, and held to that
    from then on.

    Returns:
        The model's folder.

    Raises:
        FetchError: nothing is left half-written under the model's own name.
        ModelError: what was given as files at hand is another kind of model.
    """
    supply = supply or Supply()
    target = models / model.name
    names = {file.name: file.name for file in model.asset.files}
    _fetch_asset(model.asset, target, names, supply, model.kind)
    if model.dictionary is not None:
        names = {model.dictionary.files[0].name: DICTIONARY}
        if supply.origin is not None and not _wanted(model.dictionary, supply.origin):
            supply = replace(supply, origin=None)  # an archive rarely holds the dictionary
        _fetch_asset(model.dictionary, target, names, supply)
    return target


def _fetch_asset(
    asset: Asset, target: Path, names: Mapping[str, str], supply: Supply, kind: Kind | None = None
) -> None:
    """Bring the files of one asset to `target` under the names given, each checked."""
    models = target.parent
    lock = default_lock(models)
    known = _known_files(asset, lock)
    if _are_right(known, target, names):
        return
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{asset.name}.", dir=models) as scratch_name:
        scratch = Path(scratch_name)
        if supply.folder is not None or supply.wheel is not None:
            _take_from_hand(asset, target.name, names, scratch, supply)
            _hold_to_any(asset, known, scratch, kind)
        else:
            _take_from_first(asset, known, scratch, supply, models / DOWNLOADS)
        new = [file.name for file in known if file.sha256 is None]
        seen = [FileSpec(n, (scratch / n).stat().st_size, sha256_file(scratch / n)) for n in new]
        target.mkdir(exist_ok=True)
        for file in asset.files:
            (scratch / file.name).replace(target / names[file.name])
    if seen:
        record(lock, asset.name, seen)
    logger.info("fetched %s", asset.name)


def _known_files(asset: Asset, lock: Path) -> list[FileSpec]:
    """The files of an asset with what the lock file has of those that nothing else is known of."""
    locked = read_lock(lock).get(asset.name, {})
    return [locked.get(file.name, file) if file.sha256 is None else file for file in asset.files]


def _are_right(known: list[FileSpec], folder: Path, names: Mapping[str, str]) -> bool:
    """Whether files are there as recorded; one of which nothing is known is not."""
    paths = [(folder / names[file.name], file.sha256) for file in known]
    return all(digest and path.is_file() and sha256_file(path) == digest for path, digest in paths)


def is_fetched(model: Model, models: Path) -> bool:
    """Whether the network of a model was fetched before and is as it was recorded."""
    names = {file.name: file.name for file in model.asset.files}
    return _are_right(_known_files(model.asset, default_lock(models)), models / model.name, names)


def choose_sources(asset: Asset, origin: str | None) -> list[Source]:
    """The sources of an asset in the order in which they are tried, all or those of one of `KINDS`.

    Raises:
        FetchError: no such source; those there are are named.
    """
    if sources := _wanted(asset, origin):
        return sources
    known = ", ".join(source.origin for source in asset.sources)
    raise FetchError(f"{asset.name} has no source of kind {origin!r}, only {known}")


def _wanted(asset: Asset, origin: str | None) -> list[Source]:
    return [s for s in asset.sources if origin is None or s.origin in KINDS[origin]]


def _take_from_first(
    asset: Asset, known: list[FileSpec], scratch: Path, supply: Supply, cache: Path
) -> None:
    """Get the files of an asset from the first of its sources that has them."""
    failed: list[str] = []
    for source in choose_sources(asset, supply.origin):
        published = [replace(f, sha256=f.sha256 or source.sha256.get(f.name)) for f in known]
        try:
            _take_from_source(source, published, scratch, supply, cache)
        except FetchError as error:
            failed.append(error.problem)
            logger.info("%s", error)
        else:
            return
    if all(source.origin != "wheel" for source in asset.sources):
        failed.append("no Python package holds it")
    raise FetchError(f"{asset.name} cannot be had here: {'; '.join(failed)}", REMEDY)


def _take_from_hand(
    asset: Asset, name: str, names: Mapping[str, str], scratch: Path, supply: Supply
) -> None:
    """Get the files of an asset from the folder or the wheel that a user has at hand.

    In a folder they may bear either of their names.
    """
    if supply.folder is None:
        assert supply.wheel is not None
        wheels = choose_sources(asset, "wheel")
        named = [s for s in wheels if supply.wheel.match(wheel_pattern(s.address))]
        source = (named or wheels)[0]
        take_files(supply.wheel, source.folder, _inside(asset.files, source), scratch)
        return
    own = supply.folder / name
    folder = own if own.is_dir() else supply.folder
    for called in names:
        found = [folder / n for n in (called, names[called]) if (folder / n).is_file()]
        if not found:
            raise FetchError(f"{folder} does not hold {called}")
        shutil.copyfile(found[0], scratch / called)


def _inside(files: Sequence[FileSpec], source: Source) -> dict[str, str]:
    """What each file is called in the archive of a source."""
    return {file.name: source.file or file.name for file in files}


def _hold_to_any(asset: Asset, known: list[FileSpec], scratch: Path, kind: Kind | None) -> None:
    """Hold files that a user has at hand to all that is known of them, whoever published it."""
    for file in known:
        path, wanted = scratch / file.name, file.sha256
        published = sorted({s.sha256[file.name] for s in asset.sources if file.name in s.sha256})
        if wanted is not None or not published:
            check_file(path, file.name, size=file.size, sha256=wanted)
        elif (found := sha256_file(path)) not in published:
            raise FetchError(
                f"{file.name} is not that of {asset.name}: its SHA-256 is {found}, "
                f"{' or '.join(published)} is published; to serve another model, name its folder "
                f"in place of a name"
            )
    if kind is not None and any(file.sha256 is None for file in known):
        from ppocr_converters.graph.kinds import expect_kind
        from ppocr_converters.graph.model_files import kind_at

        expect_kind(kind_at(scratch), kind, f"what was given as {asset.name}")


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
    if source.origin == "archive":
        _refuse_unproven(mirrored(source.address, supply.mirror), files)
    packed = _download_packed(source, supply.mirror, cache)
    try:
        take_files(packed, source.folder, _inside(files, source), scratch)
        for file in files:
            label = f"{file.name} from {source.address}"
            check_file(scratch / file.name, label, size=file.size, sha256=file.sha256)
    except FetchError:
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


def wheel_pattern(requirement: str) -> str:
    """What the file of the wheel of `name==version` is called on every platform."""
    name, _, version = requirement.partition("==")
    return f"{name.replace('-', '_')}-{version}-*.whl"


def download_wheel(requirement: str, folder: Path) -> Path:
    """Get the wheel of `name==version` with pip, without installing it; reuse one in `folder`.

    Raises:
        FetchError: pip is missing or fails; its last line is part of the message.
    """
    pattern = wheel_pattern(requirement)
    known = sorted(folder.glob(pattern))
    if known:
        return known[0]
    if (reason := run_pip("download", requirement, "--dest", str(folder))) is not None:
        raise FetchError(f"pip cannot download {requirement}: {reason}")
    return next(iter(folder.glob(pattern)))
