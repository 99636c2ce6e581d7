"""The two compiled networks run back to back by plain ONNX Runtime, with nothing around them.

This is the least that a picture can cost on this machine with this engine: the very tensors that
the server's steps make of the picture, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ppocr_bench.pictures import Picture
from ppocr_converters.pbtxt import read_config
from ppocr_converters.reading import Reader

Feed = dict[str, np.ndarray]


@dataclass(frozen=True)
class Work:
    """What the networks are fed for one picture: `det` once, `rec` once for each batch."""

    det: Feed
    rec: Sequence[Feed]


class Networks:
    """The networks of a built repository with the threads and instances of its configuration.

    Attributes:
        threads: of one inference, by model.
        instances: inferences at the same time, by model.
    """

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        configs = {name: read_config(repository / name / "config.pbtxt") for name in ("det", "rec")}
        self.threads = {
            name: int(config.parameters["intra_op_thread_count"].string_value)
            for name, config in configs.items()
        }
        self.instances = {
            name: sum(group.count for group in config.instance_group)
            for name, config in configs.items()
        }
        self.det, self.rec = (self._session(name) for name in ("det", "rec"))
        self.pool = ThreadPoolExecutor(self.instances["rec"])

    def one_by_one(self, work: Work) -> None:
        """The detector, then one batch of the recogniser after the other."""
        self.det.run(None, work.det)
        for feed in work.rec:
            self.rec.run(None, feed)

    def as_served(self, work: Work) -> None:
        """The detector, then as many batches at the same time as the server has instances."""
        self.det.run(None, work.det)
        list(self.pool.map(lambda feed: self.rec.run(None, feed), work.rec))

    def work_of(self, picture: Picture) -> Work:
        """The tensors that the steps make of a picture, in the order in which they are sent."""
        det: list[Feed] = []
        rec: list[Feed] = []

        def detector(pixels: np.ndarray) -> Any:
            det.append({"DET_INPUT": pixels})
            return self.det.run(None, det[-1])[0]

        def recogniser(crops: np.ndarray, widths: np.ndarray) -> Any:
            rec.append({"CROPS": crops, "WIDTHS": widths})
            return self.rec.run(None, rec[-1])

        dictionary = (self.repository / "recognize/1/dictionary.txt").read_bytes().decode()
        characters = dictionary.removesuffix("\n").split("\n")
        height = self.rec.get_inputs()[0].shape[1]
        reader = Reader(self.repository, detector, recogniser, characters, height)
        reader.read(reader.before.image.decode_image(picture.data))
        return Work(det[0], rec)

    def _session(self, name: str) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads[name]
        options.inter_op_num_threads = 1
        path = self.repository / name / "1" / "model.onnx"
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
