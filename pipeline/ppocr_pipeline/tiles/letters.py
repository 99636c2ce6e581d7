"""How high the small letters of a picture are, told from its pixels without a network.

Letters are spots of like height that stand in a row on one line. Grass, gravel or a brick wall have
spots as well, of which hardly any stand so.
"""

from __future__ import annotations

import cv2
import numpy as np

LOOKED_AT = 3_000_000  # pixels; a larger picture is made smaller first
CONTRAST = 20  # grey levels between a letter and what is around it
LOWEST = 4  # pixels: a lower spot is noise
IN_A_ROW = 5  # spots that make a line
SHARE = 0.08  # of all spots: fewer in lines are no text


def small_letters(pixels: np.ndarray, highest: float, fewest: int) -> float | None:
    """The height of the small letters of a picture, None where it has none.

    Args:
        pixels: uint8 [H, W, 3].
        highest: letters from this height on are not small, pixels.
        fewest: in lines; fewer are no text.

    Returns:
        Pixels: the height that a quarter of the small letters do not reach. Of Latin text it is
        about that of a capital, of Chinese that of a character.
    """
    scale = min(1.0, (LOOKED_AT / (pixels.shape[0] * pixels.shape[1])) ** 0.5)
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    around = cv2.boxFilter(grey, -1, (int(2 * highest * scale) | 1,) * 2)
    found: list[np.ndarray] = []
    for darker in (cv2.subtract(around, grey), cv2.subtract(grey, around)):
        spots = _spots((darker > CONTRAST).view(np.uint8), highest * scale)
        # Down: a page that is turned, or vertical text.
        across, down = _rows(spots), _rows(spots[:, [1, 0, 3, 2]])
        heights = max((rows[rows < highest * scale] for rows in (across, down)), key=len)
        if len(heights) >= max(fewest, SHARE * len(spots)):
            found.append(heights)
    return float(np.percentile(np.concatenate(found), 25)) / scale if found else None


def _spots(mask: np.ndarray, highest: float) -> np.ndarray:
    """Left, top, width and height of what may be letters: int32 [N, 4]."""
    # OpenCV's default algorithm takes half as long again.
    _, _, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask, 8, cv2.CV_32S, cv2.CCL_GRANA
    )
    width, height, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
    longer = np.maximum(width, height)
    shorter = np.minimum(width, height)
    inside = (longer >= LOWEST) & (longer <= 3 * highest) & (shorter <= highest)
    filled = (longer <= 6 * shorter) & (area * 8 >= width * height)
    return stats[1:, :4][inside & filled]


def _rows(spots: np.ndarray) -> np.ndarray:
    """The heights of the rows that spots stand in: one for each spot in a row, float64 [M]."""
    best = np.zeros(len(spots))
    if not len(spots):
        return best
    for shift in (0.0, 0.5):  # what the bands of one part stands together in those of the other
        octave = np.floor(np.log2(spots[:, 3]) + shift)
        band = np.floor((spots[:, 1] + spots[:, 3] / 2) / 2**octave + shift)
        order = np.lexsort((spots[:, 0], band, octave))
        left, top, width, height = spots[order].T
        gap = left[1:] - left[:-1] - width[:-1]
        higher = np.maximum(height[1:], height[:-1])
        level = np.abs(np.diff(top + height)) <= 0.25 * higher
        near = (gap <= 1.2 * higher) & (gap >= -0.2 * higher)
        joined = level & near & (np.diff(band[order]) == 0) & (np.diff(octave[order]) == 0)
        starts = np.flatnonzero(np.concatenate([[True], ~joined]))
        counts = np.diff(np.append(starts, len(order)))
        rows = np.where(counts >= IN_A_ROW, np.maximum.reduceat(height, starts), 0)
        best[order] = np.maximum(best[order], np.repeat(rows, counts))
    return best[best > 0]
