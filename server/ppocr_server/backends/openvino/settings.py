"""What a model configuration asks of OpenVINO, with the C++ backend's meaning of each field.

Source of the behaviour: `src/openvino.cc` and README of triton-inference-server's
openvino_backend. What this stand-in cannot do is refused with a sentence, never skipped.

One thing differs. The C++ backend holds all instances in one process, which share NUM_STREAMS
streams and INFERENCE_NUM_THREADS threads; here every instance is a process with one stream, and
gets its part of the threads. Where NUM_STREAMS is no number, the instances are the streams.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ppocr_server.backends.common.config import (
    ConfigurationError,
    Json,
    integer,
    parameters_of,
    refuse_unsupported,
)

NAME = "openvino"
DEFAULT_FILE = "model.xml"
HINTS = ("LATENCY", "THROUGHPUT")
STREAM_WORDS = ("AUTO", "NUMA")


@dataclass(frozen=True)
class Settings:
    """What one instance is opened with.

    Attributes:
        file_name: of the model.
        threads: of this instance, 0 leaves the number to OpenVINO.
        compilation_threads: 0 leaves the number to OpenVINO.
        precision: of the arithmetic, "f32" or "bf16", as OpenVINO names them.
        performance_hint: "" for none.
        reshape: whether the inputs get the dims that the configuration declares.
        extension: path of a library with further operators, "" for none.
        ignored: fields that change nothing here, each with the reason, for the log.
    """

    file_name: str = DEFAULT_FILE
    threads: int = 0
    compilation_threads: int = 0
    precision: str = "f32"
    performance_hint: str = ""
    reshape: bool = False
    extension: str = ""
    ignored: tuple[str, ...] = ()


def read_settings(config: Json, *, kind: str) -> Settings:
    """Translate a model configuration for one instance.

    Args:
        config: Triton's model configuration as JSON.
        kind: kind of the instance; "CPU" is the only one that the C++ backend has.

    Raises:
        ConfigurationError: a value is not allowed, or asks for what cannot be done here.
    """
    refuse_unsupported(config, NAME)
    if kind != "CPU":
        raise ConfigurationError(
            f"instance_group kind is KIND_{kind}; the openvino backend runs on KIND_CPU only"
        )
    if any(config.get("optimization", {}).get("execution_accelerators", {}).values()):
        raise ConfigurationError(
            "execution_accelerators are of the onnxruntime backend; the openvino backend has none"
        )
    parameters = parameters_of(config)
    return Settings(
        file_name=config.get("default_model_filename") or DEFAULT_FILE,
        threads=_threads(parameters, _instances(config)),
        compilation_threads=_count(parameters, "COMPILATION_NUM_THREADS"),
        precision="bf16" if _yes(parameters, "HINT_BF16", strict=True) else "f32",
        performance_hint=_hint(parameters),
        reshape=_yes(parameters, "RESHAPE_IO_LAYERS"),
        extension=parameters.get("CPU_EXTENSION_PATH", ""),
        ignored=_ignored(config, parameters),
    )


def _instances(config: Json) -> int:
    return sum(int(group.get("count", 1)) for group in config.get("instance_group", ())) or 1


def _threads(parameters: Mapping[str, str], instances: int) -> int:
    """This instance's part of the threads, at least 1; 0 where nothing parts them."""
    streams = parameters.get("NUM_STREAMS", "").upper()
    if streams.isdigit() and int(streams) > 0:
        parts = int(streams)
    elif streams in ("", *STREAM_WORDS):
        parts = instances
    else:
        raise ConfigurationError(
            f"parameter NUM_STREAMS is '{streams}'; allowed are a number from 1, "
            f"{' and '.join(STREAM_WORDS)}"
        )
    threads = _count(parameters, "INFERENCE_NUM_THREADS")
    if threads == 0 and parts == 1:
        return 0
    return max(1, (threads or len(os.sched_getaffinity(0))) // parts)


def _count(parameters: Mapping[str, str], key: str) -> int:
    count = integer(parameters, key)
    if count < 0:
        raise ConfigurationError(f"parameter {key} is {count}; a number from 0 is expected")
    return count


def _yes(parameters: Mapping[str, str], key: str, *, strict: bool = False) -> bool:
    """Whether a parameter says yes; other words are no, or an error where the C++ backend's is."""
    value = parameters.get(key, "").upper()
    if strict and value not in ("", "YES"):
        raise ConfigurationError(f"parameter {key} is '{parameters[key]}'; allowed is YES")
    return value == "YES"


def _hint(parameters: Mapping[str, str]) -> str:
    hint = parameters.get("PERFORMANCE_HINT", "").upper()
    if hint not in ("", *HINTS):
        raise ConfigurationError(
            f"parameter PERFORMANCE_HINT is '{parameters['PERFORMANCE_HINT']}'; allowed are "
            f"{' and '.join(HINTS)}"
        )
    return hint


def _ignored(config: Json, parameters: Mapping[str, str]) -> tuple[str, ...]:
    notes = []
    for key in ("SKIP_OV_DYNAMIC_BATCHSIZE", "ENABLE_BATCH_PADDING"):
        if _yes(parameters, key):
            notes.append(f"{key}: a batch has as many rows as its requests here")
    if any(config.get("cc_model_filenames", {})):
        notes.append("cc_model_filenames: there are no compute capabilities to choose by here")
    return tuple(notes)
