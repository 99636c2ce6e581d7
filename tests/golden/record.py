"""Record what PaddleOCR 2.10.0's own functions answer, for test_golden.py to hold the steps to.

Runs in an environment with paddleocr 2.10.0 (`ppocr-bench parity` makes one), from this folder's
project root:

    build/paddleocr-env/bin/python tests/golden/record.py \
        --det-model build/models/PP-OCRv4_mobile_det --samples samples --out tests/golden

Everything random is stored, not drawn again, so that the tests depend on no generator.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The libraries of paddlepaddle 2.6.2 export a zlib of their own, which breaks Python's unless
# that has been used, and thereby bound, before.
zlib.decompress(zlib.compress(b""))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import paddleocr  # type: ignore[import-not-found]  # noqa: E402
from ppocr.data.imaug.operators import DetResizeForTest  # type: ignore  # noqa: E402
from ppocr.postprocess.db_postprocess import DBPostProcess  # type: ignore  # noqa: E402
from ppocr.postprocess.rec_postprocess import CTCLabelDecode  # type: ignore  # noqa: E402
from tools.infer.predict_det import TextDetector  # type: ignore  # noqa: E402
from tools.infer.predict_rec import TextRecognizer  # type: ignore  # noqa: E402
from tools.infer.predict_system import sorted_boxes  # type: ignore  # noqa: E402
from tools.infer.utility import get_rotate_crop_image  # type: ignore  # noqa: E402

Array = np.ndarray

# Options of the pipeline by PaddleOCR's names, as decode_boxes takes them.
DEFAULTS: dict[str, Any] = {
    "thresh": 0.3,
    "box_thresh": 0.6,
    "unclip_ratio": 1.5,
    "score_mode": "fast",
    "use_dilation": False,
    "max_candidates": 1000,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "slow": {"score_mode": "slow"},
    "dilated": {"use_dilation": True},
    "slow_dilated": {"score_mode": "slow", "use_dilation": True},
    "low": {"thresh": 0.1, "box_thresh": 0.2, "unclip_ratio": 2.5},
    "tight": {"thresh": 0.6, "box_thresh": 0.8, "unclip_ratio": 0.7},
    "few": {"max_candidates": 5},
}


def main() -> None:
    """Record every file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--det-model", type=Path, required=True, help="Paddle detector folder")
    parser.add_argument("--samples", type=Path, required=True, help="the sample pictures")
    parser.add_argument("--out", type=Path, required=True, help="where the files are written")
    args = parser.parse_args()
    record_db(args.out, args.det_model, args.samples)
    record_order(args.out)
    record_crops(args.out)
    record_ctc(args.out)
    record_sizes(args.out)
    record_batches(args.out)


def write_json(path: Path, rows: list[Any]) -> None:
    """One row a line, so that a change shows as a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def record_db(out: Path, det_model: Path, samples: Path) -> None:
    """db.npz: maps in levels of 1/255, boxes, scores; db.json: what each case was asked."""
    arrays: dict[str, Array] = {}
    cases: list[dict[str, Any]] = []
    maps = [*synthetic_maps(), *real_maps(det_model, samples)]
    for name, levels, height, width in maps:
        arrays[f"{name}/map"] = levels
        probability = levels.astype(np.float32) / 255
        for variant, changed in VARIANTS.items():
            boxes, scores = boxes_of(probability, height, width, {**DEFAULTS, **changed})
            key = f"{name}/{variant}"
            arrays[f"{key}/boxes"], arrays[f"{key}/scores"] = boxes, scores
            cases.append(
                {"map": name, "case": key, "height": height, "width": width, "options": changed}
            )
    np.savez_compressed(out / "db.npz", **arrays)
    write_json(out / "db.json", cases)


def boxes_of(
    probability: Array, height: int, width: int, options: dict[str, Any]
) -> tuple[Array, Array]:
    """DBPostProcess followed by TextDetector's filter: int16 [N, 4, 2] and float32 [N]."""
    decoder = DBPostProcess(box_type="quad", **options)
    bitmap = probability > options["thresh"]
    if decoder.dilation_kernel is not None:
        bitmap = cv2.dilate(bitmap.astype(np.uint8), decoder.dilation_kernel)
    # The sizes come as float64, as they do out of DetResizeForTest.
    found, scores = decoder.boxes_from_bitmap(
        probability, bitmap, np.float64(width), np.float64(height)
    )
    filter_boxes = object.__new__(TextDetector).filter_tag_det_res
    kept = [
        (filter_boxes([box], (height, width)), score)
        for box, score in zip(found, scores, strict=True)
    ]
    kept = [(boxes[0], score) for boxes, score in kept if len(boxes)]
    boxes = np.array([box for box, _ in kept], np.int16).reshape(-1, 4, 2)
    return boxes, np.array([score for _, score in kept], np.float32)


def synthetic_maps() -> Iterator[tuple[str, Array, int, int]]:
    """Name, uint8 [h, w] levels, height and width of the picture."""
    rng = np.random.default_rng(20)
    blank = np.zeros((64, 96), np.uint8)
    yield "empty", blank, 128, 192
    yield "full", np.full_like(blank, 255), 128, 192
    yield "half", np.full_like(blank, 128), 64, 96
    yield "one_pixel", drawn(blank, [(40, 30, 1, 1)]), 64, 96
    yield "specks", drawn(blank, [(4 + 10 * i, 20, 1 + i, 1 + i) for i in range(8)]), 64, 96
    yield "thin", drawn(blank, [(3, 3 + 8 * i, 80, 1 + i) for i in range(6)]), 640, 960
    yield "upright", drawn(blank, [(3 + 9 * i, 4, 1 + i, 56) for i in range(8)]), 64, 96
    edges = [(0, 0, 30, 8), (70, 0, 26, 10), (0, 54, 40, 10), (60, 58, 36, 6), (90, 20, 6, 30)]
    yield "borders", drawn(blank, edges), 100, 301
    yield "nested", cv2.rectangle(drawn(blank, [(5, 5, 80, 50)]), (20, 20), (60, 40), 0, -1), 64, 96
    yield "one_row", np.full((32, 320), 230, np.uint8), 3, 500
    grid = [(2 + 10 * x, 2 + 9 * y, 6, 5) for y in range(35) for x in range(32)]
    yield "many", drawn(np.zeros((320, 320), np.uint8), grid), 320, 320
    for number in range(6):
        levels = np.zeros((160, 224), np.uint8)
        for _ in range(12):
            centre = rng.uniform(0, [224, 160]).tolist()
            size = rng.uniform([4, 2], [90, 24]).tolist()
            corners = cv2.boxPoints((centre, size, rng.uniform(0, 180))).astype(np.int32)
            level = int(rng.integers(60, 256))
            levels = np.maximum(levels, cv2.fillPoly(np.zeros_like(levels), [corners], level))
        height, width = rng.integers(80, 900, 2).tolist()
        yield f"random_{number}", cv2.blur(levels, (3, 3)), height, width


def drawn(blank: Array, rectangles: list[tuple[int, int, int, int]]) -> Array:
    """Filled rectangles (left, top, width, height), their levels descending from 255."""
    levels = blank.copy()
    for place, (left, top, width, height) in enumerate(rectangles):
        levels[top : top + height, left : left + width] = 255 - place % 90
    return levels


def real_maps(det_model: Path, samples: Path) -> Iterator[tuple[str, Array, int, int]]:
    """Maps of the real detector on sample pictures, read at 640 pixels."""
    args = paddleocr.paddleocr.parse_args(mMain=False)
    args.det_model_dir, args.use_gpu, args.show_log = str(det_model), False, False
    args.det_limit_side_len = 640
    detector = TextDetector(args)
    recorder = Recorder(detector.postprocess_op)
    detector.postprocess_op = recorder
    for name in ("receipt_en.jpg", "notice_tilted.jpg", "sign_vertical.jpg"):
        pixels = cv2.imread(str(samples / name))
        detector(pixels)
        levels = np.rint(recorder.maps * 255).astype(np.uint8)
        # A picture's height is not that of the map: rounding while scaling is part of the test.
        yield Path(name).stem, levels, *pixels.shape[:2]


class Recorder:
    """Keeps the map that a post-process is given."""

    def __init__(self, postprocess: Any) -> None:
        self.postprocess = postprocess

    def __call__(self, outputs: dict[str, Array], shapes: Array) -> Any:
        self.maps = outputs["maps"][0, 0]
        return self.postprocess(outputs, shapes)


def record_order(out: Path) -> None:
    """order.npz: boxes, and the same boxes as sorted_boxes returns them."""
    rng = np.random.default_rng(21)
    arrays: dict[str, Array] = {}
    # Few distinct coordinates make many ties and many boxes on almost the same line.
    for name, count, step in [
        ("one", 1, 1),
        ("random", 60, 1),
        ("ties", 80, 12),
        ("close", 80, 3),
        ("same", 20, 400),
        ("lines", 300, 5),
    ]:
        top_left = rng.integers(0, 400, (count, 1, 2)) // step * step
        boxes = (top_left + rng.integers(0, 80, (count, 4, 2))).astype(np.float32)
        boxes[:, 0] = top_left[:, 0]
        arrays[f"{name}/boxes"] = boxes.astype(np.int16)
        arrays[f"{name}/sorted"] = np.array(sorted_boxes(boxes), np.int16)
    np.savez_compressed(out / "order.npz", **arrays)


def record_crops(out: Path) -> None:
    """crop.npz: a picture, quadrilaterals, and what get_rotate_crop_image cuts out of it."""
    rng = np.random.default_rng(22)
    coarse = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)
    picture = cv2.resize(coarse, (112, 84), interpolation=cv2.INTER_CUBIC)
    quads = [cv2.boxPoints(((56, 42), (64, 14), angle)) for angle in range(0, 180, 20)]
    quads += [cv2.boxPoints(((50, 40), (16, 50), angle)) for angle in (0, 7, 90)]
    upright = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    sizes = [(40, 60), (40, 59), (4, 4), (1, 1), (2, 3), (1, 40), (110, 2), (70, 40)]
    quads += [upright * size for size in sizes]  # 1.5 is where a crop becomes tall
    skewed = upright * (50, 20) + (40, 40)
    quads += [skewed + rng.normal(0, 4, (4, 2)) for _ in range(6)]
    quads += [upright * (60, 18) - corner for corner in ((20, 5), (-90, -76))]  # partly outside
    boxes = np.array(quads, np.float32)
    arrays = {
        f"crop_{index:02d}": np.ascontiguousarray(get_rotate_crop_image(picture, box.copy()))
        for index, box in enumerate(boxes)
    }
    np.savez_compressed(out / "crop.npz", picture=picture, boxes=boxes, **arrays)


def record_ctc(out: Path) -> None:
    """ctc.npz: probabilities [N, T, C]; ctc.json: the dictionary, the texts and their scores."""
    rng = np.random.default_rng(23)
    characters = [*"ab01.中文，々é"]
    logits = rng.normal(0, 1, (40, 24, len(characters) + 2)).astype(np.float32)
    logits[..., 0] += rng.choice([-9, 0, 2, 9], (40, 1))  # never, sometimes, always blank
    logits += 3 * logits[:, rng.integers(0, 24, 24).cumsum() % 6]  # runs and repeats
    preds = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        dictionary = Path(folder, "dictionary.txt")
        dictionary.write_text("\n".join(characters) + "\n", encoding="utf-8")
        decoder = CTCLabelDecode(str(dictionary), use_space_char=True)
    texts = decoder(preds)
    np.savez_compressed(
        out / "ctc.npz",
        indices=preds.argmax(axis=2).astype(np.int32),
        probabilities=preds.max(axis=2),
    )
    write_json(out / "ctc.json", [decoder.character[1:], *texts])


def record_sizes(out: Path) -> None:
    """resize.json: rows of height, width, limit, type, and the height and width of the input."""
    rng = np.random.default_rng(24)
    sides = [1, 15, 16, 31, 32, 33, 47, 48, 49, 63, 64, 80, 112, 500, 720, 944, 959, 960, 961, 976]
    sizes = [(side, other) for side in sides for other in (1, 20, 48, 640, 960, 1504)]
    sizes += [
        tuple(np.exp(rng.uniform(0, np.log(5000), 2)).astype(int).tolist()) for _ in range(80)
    ]
    rows = []
    for number, (height, width) in enumerate(sizes):
        wanted = [(960, "max")]
        if number % 2:
            wanted += [(736, "max"), (int(rng.integers(32, 1500)), "max")]
        if min(height, width) * 12 > max(height, width):
            wanted += [(736, "min"), (int(rng.integers(32, 1000)), "min")]
        for limit, kind in wanted:
            resize = DetResizeForTest(limit_side_len=limit, limit_type=kind)
            resized = resize({"image": np.zeros((height, width, 3), np.uint8)})["image"]
            rows.append([height, width, limit, kind, *resized.shape[:2]])
    write_json(out / "resize.json", rows)


def record_batches(out: Path) -> None:
    """batches.json: rows of crop sizes and of the groups TextRecognizer feeds its predictor.

    A group is the crops' numbers, the padded width, and how many columns of each are not padding.
    """
    rng = np.random.default_rng(25)
    rows = []
    for count in (1, 2, 6, 7, 40):
        for widest in (60, 300, 2000):
            sizes = np.stack([rng.integers(4, 60, count), rng.integers(4, widest, count)], axis=1)
            if widest == 300:  # many equal aspects: what the sort does with ties matters
                sizes = sizes // 30 * 30 + 30
            rows.append([sizes.tolist(), groups_of(sizes)])
    write_json(out / "batches.json", rows)


def groups_of(sizes: Array) -> list[list[Any]]:
    """What a real TextRecognizer feeds a predictor that only listens."""
    recognizer: Any = object.__new__(TextRecognizer)
    listener = Listener()
    settings: dict[str, Any] = {
        "rec_image_shape": [3, 48, 320],
        "rec_batch_num": 6,
        "rec_algorithm": "SVTR_LCNet",
        "use_onnx": False,
        "benchmark": False,
        "return_word_box": False,
        "postprocess_params": {"name": "CTCLabelDecode"},
        "postprocess_op": lambda preds, **_: [("", 0.0)] * len(preds),
        "predictor": listener,
        "input_tensor": listener,
        "output_tensors": [listener],
    }
    vars(recognizer).update(settings)
    # A crop is known again by its level; no level becomes the 0.0 of the padding.
    recognizer([np.full((*size, 3), number, np.uint8) for number, size in enumerate(sizes)])
    groups = []
    for batch in listener.batches:
        numbers = np.rint((batch[:, 0, 0, 0] * 0.5 + 0.5) * 255).astype(int)
        widths = (batch[:, 0, 0] != 0).sum(axis=1)
        groups.append([numbers.tolist(), batch.shape[3], widths.tolist()])
    return groups


class Listener:
    """Stands where Paddle's predictor and its tensors stand, and keeps what it is fed."""

    def __init__(self) -> None:
        self.batches: list[Array] = []

    def copy_from_cpu(self, batch: Array) -> None:
        self.batches.append(batch)

    def run(self) -> None:
        """Nothing to compute."""

    def copy_to_cpu(self) -> Array:
        return self.batches[-1]


if __name__ == "__main__":
    main()
