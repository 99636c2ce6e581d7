"""The lock file: digests of files that nobody publishes, as they were when first seen.

A later fetch of the same file, from wherever, must give the same bytes. The file is the user's to
keep, in their version control for instance; it names models and files, never where they came from.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from ppocr_converters.catalogue.entries import FileSpec
from ppocr_converters.errors import FetchError
from ppocr_converters.files import new_file

#: Beside the folder of the models.
LOCK = "models.lock.yml"
HEAD = (
    "# Sizes in bytes and SHA-256 of fetched files as they were when first seen; later ones are\n"
    "# held to them. Remove an entry to accept another file.\n"
)

#: What is recorded, by the name of the entry.
Lock = dict[str, dict[str, FileSpec]]


def default_lock(models: Path) -> Path:
    """Where the lock of a folder of models lies."""
    return models.parent / LOCK


def read_lock(path: Path) -> Lock:
    """Read a lock file; one that is not there is empty.

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


def record(path: Path, entry: str, files: list[FileSpec]) -> None:
    """Add files of an entry to a lock file, which is there whole or not at all."""
    lock = read_lock(path)
    lock.setdefault(entry, {}).update({file.name: file for file in files})
    data = {
        name: {n: {"size": f.size, "sha256": f.sha256} for n, f in sorted(locked.items())}
        for name, locked in sorted(lock.items())
    }
    with new_file(path) as temporary:
        temporary.write_text(HEAD + yaml.safe_dump(data, sort_keys=False), "utf-8")
