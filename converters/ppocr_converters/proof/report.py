"""The report of a proof: one HTML page that needs nothing else, and its figures as JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np

from ppocr_converters.files import new_file
from ppocr_converters.proof.differences import Difference
from ppocr_converters.proof.lines import Found, ReadingProof
from ppocr_converters.proof.networks import Bytes
from ppocr_converters.proof.run import Run
from ppocr_converters.proof.tensors import TensorProof
from ppocr_pipeline.pipeline import Line

#: Differences that are shown with their pictures; beyond, a page is too large to open.
SHOWN = 400
MARGIN = 12  # pixels shown around a line
WIDEST = 640  # pixels of a crop in the page
INK = {"expected": (170, 90, 0), "found": (0, 80, 220)}  # of the box's outline, BGR

Rows = Iterable[Sequence[str]]


def write_report(path: Path, run: Run) -> None:
    """Write `path` (HTML) and the same name with .json; each is there whole or not at all."""
    with new_file(path.with_suffix(".json")) as temporary:
        text = json.dumps(run.facts, indent=2, ensure_ascii=False)
        temporary.write_text(f"{text}\n", "utf-8")
    with new_file(path) as temporary:
        temporary.write_text(page(run), "utf-8")


def page(run: Run) -> str:
    """The whole page."""
    style = resources.files(__package__).joinpath("report.css").read_text("utf-8")
    verdict = "proven" if not run.problems else "not proven"
    parts = [
        f'<p class="verdict {"good" if not run.problems else "bad"}">{verdict}</p>',
        _list(run.problems),
        "<h2>Models</h2>",
        _table(
            ("", "compiled", "made from"),
            [(kind, str(a.path), str(b)) for kind, (a, b) in run.models.items()],
        ),
        "<h2>Probabilities of random pictures</h2>",
        _table(*_tensor_rows(run.tensors)),
    ]
    if run.reading is not None:
        parts += ["<h2>Lines read from pictures</h2>", _table(*_reading_rows(run.reading))]
        parts += ["<h2>Every difference</h2>", _differences(run.found)]
    parts += ["<h2>Versions</h2>", _table(("", ""), run.versions.items())]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Proof: {verdict}</title><style>{style}</style></head><body><main>"
        f"<h1>Do the compiled models answer as their sources do?</h1>{''.join(parts)}"
        "</main></body></html>\n"
    )


def _tensor_rows(tensors: Mapping[str, TensorProof]) -> tuple[Sequence[str], Rows]:
    head = (
        *("", "precision", "inputs", "probabilities", "largest seen"),
        *("largest difference", "allowed", "mean difference", "allowed", "other best classes"),
    )
    rows = [
        (
            *(kind, proof.precision, f"{len(proof.shapes)}", f"{proof.values:,}"),
            *(f"{proof.max_probability:.4f}", f"{proof.max_difference:.2g}"),
            *(f"{proof.tolerance.max_difference:g}", f"{proof.mean_difference:.2g}"),
            *(f"{proof.tolerance.mean_difference:g}", f"{proof.other_classes}"),
        )
        for kind, proof in tensors.items()
    ]
    return head, rows


def _reading_rows(proof: ReadingProof) -> tuple[Sequence[str], Rows]:
    bounds = proof.tolerance
    rows = [
        ("pictures", f"{proof.pictures}", ""),
        ("lines", f"{proof.lines}", ""),
        ("characters", f"{proof.characters}", ""),
        ("other boxes", f"{proof.other_boxes}", f"{bounds.other_boxes:.1%}"),
        ("other texts", f"{proof.other_texts}", f"{bounds.other_texts:.1%}"),
        ("largest difference of a line's score", f"{proof.max_score_difference:.2g}", ""),
        ("largest difference of a box's score", f"{proof.max_box_score_difference:.2g}", ""),
        ("allowed difference of a score", "", f"{bounds.score:g}"),
        ("pictures without text among them", f"{proof.textless}", ""),
        (
            "boxes on those",
            f"{proof.false_boxes}",
            f"{proof.expected_false_boxes + bounds.false_boxes:g}",
        ),
        ("overlap from which two boxes are one", "", f"{bounds.overlap:g}"),
    ]
    return ("", "found", "allowed"), rows


def _differences(found: Sequence[Found]) -> str:
    if not found:
        return '<p class="none">None: every box and every text is the same.</p>'
    shown = "".join(_difference(one) for one in found[:SHOWN])
    if len(found) > SHOWN:
        shown += f"<p>{len(found) - SHOWN} more are in the JSON file.</p>"
    return shown


def _difference(found: Found) -> str:
    one = found.difference
    lines: dict[str, Line | None] = {"expected": one.expected, "found": one.found}
    sides = "".join(_side(name, line, one, found.pixels) for name, line in lines.items())
    title = f"{found.picture}, {found.padding} padding, line {one.number}: {one.what}"
    return f'<section><h3>{escape(title)}</h3><div class="pair">{sides}</div></section>'


def _side(name: str, line: Line | None, one: Difference, pixels: Bytes) -> str:
    """One reading of a line; where it has no such line, the place where it should be."""
    other = one.found if line is None else line
    where = one.expected if other is None else other
    assert where is not None
    both = [side.box for side in (one.expected, one.found) if side is not None]
    crop = _crop(pixels, np.concatenate(both), None if line is None else line.box, INK[name])
    facts = "no such line"
    if line is not None:
        corners = " ".join(f"{x:g},{y:g}" for x, y in line.box)
        facts = (
            f"<strong>{escape(line.text) or '(no text)'}</strong><br>score {line.score:.4f}, of "
            f"the box {line.box_score:.4f}<br><small>{corners}</small>"
        )
    return (
        f'<figure class="{name}"><img alt="{name}" src="data:image/png;base64,{crop}">'
        f"<figcaption>{name}: {facts}</figcaption></figure>"
    )


def _crop(
    pixels: Bytes, corners: np.ndarray, outline: np.ndarray | None, ink: tuple[int, int, int]
) -> str:
    """The part of a picture around some corners as a PNG in base64, a box outlined."""
    import cv2

    height, width = pixels.shape[:2]
    left, top = np.clip(corners.min(0).astype(int) - MARGIN, 0, (width - 1, height - 1))
    right, bottom = np.clip(
        corners.max(0).astype(int) + MARGIN, (left + 1, top + 1), (width, height)
    )
    part = pixels[top:bottom, left:right].copy()
    if outline is not None:
        points = (outline - (left, top)).round().astype(np.int32)
        cv2.polylines(part, [points], isClosed=True, color=ink, thickness=1, lineType=cv2.LINE_AA)
    scale = min(1.0, WIDEST / part.shape[1])
    if scale < 1:
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".png", part)
    return base64.b64encode(data.tobytes()).decode()


def _table(head: Sequence[str], rows: Rows) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = f"<thead><tr>{top}</tr></thead>" if any(head) else ""
    return f'<div class="table"><table>{top}<tbody>{body}</tbody></table></div>'


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>" if items else ""
