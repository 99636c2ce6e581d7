"""serving_server_conf.prototxt: what a model of Paddle Serving is fed and what it returns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ppocr_converters.paddle.program import message_classes
from ppocr_converters.repository.serving_config.keys import ConfigError

FILE = "serving_server_conf.prototxt"
SCHEMA = """
ModelConf: feed_var 1 Variable*, fetch_var 2 Variable*
Variable: name 1 string, alias_name 2 string, shape 5 int64*
"""


def read_prototxt(folder: Path) -> Any:
    """The `ModelConf` in a model's folder, None where there is none.

    The shape of a variable is without the batch axis; one without an alias has its name for it.

    Raises:
        ConfigError: it is malformed, or names no input or no output.
    """
    from google.protobuf import text_format

    path = folder / FILE
    if not path.is_file():
        return None
    found = message_classes("ppocr_serving_conf", SCHEMA)["ModelConf"]()
    try:
        text_format.Parse(path.read_text("utf-8"), found, allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is malformed: {error}") from error
    if not found.feed_var or not found.fetch_var:
        raise ConfigError(f"{path} names no input or no output (feed_var, fetch_var)")
    for variable in (*found.feed_var, *found.fetch_var):
        variable.alias_name = variable.alias_name or variable.name
    return found
