"""A page is straightened: its boxes as they would lie were its rows level."""

from __future__ import annotations

import numpy as np

LONG = 1.5  # sides of a box whose direction counts, at least
ODD = 0.2  # a slope further from the page's own is that of another text, such as a stamp
STIFFNESS = 1e-2  # of the field, so that a few short boxes do not bend it
# Boxes that all rise or all fall: so many, with this share of the weight, may be right where the
# others are exactly level. They are if that leaves this share of the rows' unevenness, or less. So
# few need not lie all over the page: one slope for all of it, from among theirs, is tried as well.
LEANING, LEANING_SHARE, EVENER = 5, 0.2, 0.9
TRIED_SLOPES = np.linspace(0.1, 0.9, 9)  # quantiles


def upright_points(boxes: np.ndarray, angle: int) -> np.ndarray:
    """Boxes where they lie relative to each other once the page is upright.

    Args:
        boxes: float32 [N, 4, 2], pixels.
        angle: by which the page is turned clockwise: 0, 90, 180 or 270 degrees.
    """
    x, y = boxes[..., 0], boxes[..., 1]
    return np.stack({0: (x, y), 90: (y, -x), 180: (-x, -y), 270: (-y, x)}[angle], axis=-1)


def straighten(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes where they would lie on a level page.

    The slope of rows is a linear field over the page, fitted to the long boxes, each weighted by
    its length. It follows skew, and to the first order perspective. Detectors find many a short
    word exactly level on a skewed page; such boxes do not count where rows are more even without.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left; N at least 1.

    Returns:
        Centers float64 [N, 2], widths float64 [N] and heights float64 [N], pixels.
    """
    corners = boxes.astype(np.float64)
    along = (corners[:, 1] - corners[:, 0] + corners[:, 2] - corners[:, 3]) / 2
    down = (corners[:, 3] - corners[:, 0] + corners[:, 2] - corners[:, 1]) / 2
    widths, heights = np.linalg.norm(along, axis=1), np.linalg.norm(down, axis=1)
    centers = corners.mean(axis=1)
    directions = np.where((heights > widths)[:, None], down[:, ::-1] * [1, -1], along)
    length = np.maximum(widths, heights)
    counts = (length >= LONG * np.minimum(widths, heights)) & (directions[:, 0] > 0)
    if not counts.any():
        return centers, widths, heights
    slopes = np.divide(directions[:, 1], directions[:, 0], np.zeros(len(boxes)), where=counts)
    weights = length**2
    level = _levelled(centers, counts, slopes, weights)
    leaning = counts & (slopes != 0)
    alike = abs(np.sign(slopes[leaning]).sum()) == leaning.sum() >= LEANING
    if alike and weights[leaning].sum() >= LEANING_SHARE * weights[counts].sum():
        others = [_levelled(centers, leaning, slopes, weights)]
        for slope in np.quantile(slopes[leaning], TRIED_SLOPES):
            others.append(_sheared(centers - centers.mean(axis=0), slope, float(slope)))
        row = float(np.median(np.minimum(widths, heights)))
        other = min(others, key=lambda one: _unevenness(one, row))
        if _unevenness(other, row) < EVENER * _unevenness(level, row):
            level = other
    return level, widths, heights


def _levelled(
    centers: np.ndarray, counts: np.ndarray, slopes: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Where centers lie on a level page, by the slopes of those boxes that count."""
    points = centers - centers.mean(axis=0)
    scaled = points / np.maximum(centers.std(axis=0), 1.0)
    return _sheared(points, *_field(scaled, counts, slopes[counts], weights[counts]))


def _sheared(points: np.ndarray, local: np.ndarray, constant: float) -> np.ndarray:
    """Points around (0, 0) after their rows are levelled by the slope at each, and on average."""
    x, y = points.T
    return np.column_stack([x + constant * y, y - local * x])


def _unevenness(centers: np.ndarray, row: float) -> float:
    """How far boxes of one row differ in height: small where rows are level, pixels."""
    return float(np.minimum(np.diff(np.sort(centers[:, 1])), row / 2).mean())


def _field(
    points: np.ndarray, counts: np.ndarray, slopes: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """A linear field through the weighted slopes of some points: at each point, and at (0, 0)."""
    order = np.argsort(slopes, kind="stable")
    total = np.cumsum(weights[order])
    usual = slopes[order][np.searchsorted(total, total[-1] / 2)]
    near = np.abs(slopes - usual) < ODD
    share = weights[near] / weights[near].sum()
    known = points[counts][near]
    origin, mean = share @ known, share @ slopes[near]
    moment = (known - origin).T * share
    stiff = np.eye(2) * STIFFNESS
    change = np.linalg.solve(moment @ (known - origin) + stiff, moment @ (slopes[near] - mean))
    return mean + (points - origin) @ change, float(mean - origin @ change)
