"""Which network each Op runs: its kind, and the files that it is made from."""

from __future__ import annotations

import re
from pathlib import Path

from ppocr_converters.catalogue.entries import Kind, catalogue
from ppocr_converters.catalogue.fetch import DICTIONARY
from ppocr_converters.errors import CatalogueError, ModelError
from ppocr_converters.graph.kinds import kind_at
from ppocr_converters.repository.models import ModelChoice
from ppocr_converters.repository.serving_config.document import Document
from ppocr_converters.repository.serving_config.keys import ConfigError
from ppocr_converters.repository.serving_config.prototxt import FILE, read_prototxt

#: Names of dictionaries beside a model or a config.yml; the second is Paddle Serving's.
DICTIONARIES = (DICTIONARY, "ppocr_keys_v1.txt")
SERVER_FOLDER = "serving_server"
#: What in a name tells a kind; the first that is found counts.
KIND_WORDS: dict[Kind, tuple[str, ...]] = {
    "cls": ("cls", "direction", "angle"),
    "det": ("det",),
    "rec": ("rec",),
}
#: What in a name tells that an Op does something else, as in `layout_det` or `table_rec`.
OTHER_WORDS = re.compile(
    r"(?<![a-z])(layout|table|structure|formula|seal|kie|ser|re|vqa|maskrcnn|yolo|unwarp|doc|clas)"
    r"(?![a-z])"
)
#: What a service of one Op is completed with, see `find_network`.
DEFAULT_MODELS: dict[Kind, str] = {"det": "PP-OCRv4_mobile_det", "rec": "PP-OCRv4_mobile_rec"}


class MissingModelError(ConfigError):
    """The model of an Op is not there, or none is named; the message begins with the key."""


def kind_of_op(document: Document, op: str) -> Kind:
    """Whether an Op detects, recognises or classifies: by its name, else by its model."""
    config = document[f"op.{op}.local_service_conf.model_config"]
    names = (op.lower(), Path(config or "").name.lower())
    why = "its name has none of these words in it"
    if OTHER_WORDS.search(names[0]):
        why = "its name says something else"
    else:
        for name in names:
            for kind, words in KIND_WORDS.items():
                if any(word in name for word in words):
                    return kind
        if config is not None:
            try:
                model = find_model(document, config)
                return catalogue().find(model).kind if isinstance(model, str) else kind_at(model)
            except CatalogueError:
                why = f"neither its name nor that of its model {config!r} has such a word in it"
            except ModelError as error:
                why = f"of its model: {error}"
    raise ConfigError(
        f"op.{op} cannot be served: it is no Op for det, rec or cls; {why}. Remove it if "
        f"web_service.py does not use it; if it is one of them, put that word into its name"
    )


def find_network(document: Document, op: str | None, kind: Kind) -> ModelChoice:
    """The network of an Op, or the one that completes a service without an Op of that kind."""
    path, given = f"triton.{kind}_model", document.values.get(f"triton.{kind}_model")
    if not given:
        path = f"op.{op}.local_service_conf.model_config"
        given = DEFAULT_MODELS[kind] if op is None else document[path]
    if given is None:
        raise MissingModelError(
            f"{path} is empty; allowed: the folder of a Paddle model, or a name that "
            f"`ppocr-convert list` shows"
        )
    try:
        model = find_model(document, given)
    except CatalogueError as error:
        says = f"{path} is {given!r}: there is no {document.folder / given}"
        if {"/", "\\"} & set(given):  # a path, which is like no name of the catalogue
            raise MissingModelError(f"{says}; put the model's folder there") from error
        raise MissingModelError(f"{says}, and {error}") from error
    if isinstance(model, str) and (is_for := catalogue().find(model).kind) != kind:
        raise ConfigError(f"{path} is {given!r}, a model for {is_for}; allowed: one for {kind}")
    folder = model if isinstance(model, Path) else None
    description = None if folder is None else read_prototxt(folder)
    if kind != "rec":
        return ModelChoice(str(model))
    shape = [] if description is None else description.feed_var[0].shape  # 3, height, width
    height = shape[-2] if len(shape) >= 3 and shape[-2] > 0 else None
    dictionary, space = _dictionary(document, folder), document["triton.rec_space"]
    return ModelChoice(str(model), dictionary, space, height)


def find_model(document: Document, given: str) -> Path | str:
    """A path that exists, taken from where config.yml lies, or a name of the catalogue."""
    path = document.folder / given
    if not _is_there(path):
        return catalogue().find(given).name
    inner = path / SERVER_FOLDER
    return inner if inner.is_dir() and not any(path.glob("*.pdmodel")) else path


def _is_there(path: Path) -> bool:
    """Whether a path exists; what can be no path, with a NUL in it or too long, does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _dictionary(document: Document, folder: Path | None) -> Path | None:
    """The dictionary that is named, else one beside the model, else one beside config.yml."""
    named = document["triton.rec_dictionary"]
    if named is not None:
        path = document.folder / named
        if not _is_there(path) or not path.is_file():
            raise ConfigError(f"triton.rec_dictionary is {named!r}: there is no file {path}")
        return path
    if folder is None or not folder.is_dir():  # a model of the catalogue brings its own
        return None
    places = [place / name for place in (folder, document.folder) for name in DICTIONARIES]
    return next((path for path in places if path.is_file()), None)


def check_fetch_lists(document: Document, op: str, network: ModelChoice) -> dict[str, str]:
    """See that the fetch_lists of an Op name outputs of its model, by name or alias.

    Returns:
        A warning by path where the model has no description to check against.
    """
    description, unchecked = read_prototxt(Path(network.model)), {}
    for path in (f"op.{op}.fetch_list", f"op.{op}.local_service_conf.fetch_list"):
        wanted = document[path] or ()
        if wanted and description is None:
            unchecked[path] = (
                f"not checked: the model has no {FILE}; its network's one output is served"
            )
        elif wanted:
            known = {name for one in description.fetch_var for name in (one.name, one.alias_name)}
            if others := [name for name in wanted if name not in known]:
                allowed = ", ".join(sorted(known))
                raise ConfigError(f"{path} names {others[0]!r}; the model has {allowed}")
    return unchecked
