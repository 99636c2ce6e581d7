"""A transparent picture is laid on a ground on which what is visible can be seen.

PaddleOCR always lays on white, and Paddle Serving ignores transparency: light text on white, or
dark text on the black that many programs keep under what is clear, is lost to them.
"""

from __future__ import annotations

import cv2
import numpy as np

BAND = 256  # rows that are worked on at a time: it takes many times their memory
GROUNDS = {
    "paddleocr": "white",
    "paddle_serving": "none",
    "paddleocr_pdserving": "none",
}  # of the references
WHITE, BLACK, GRAY = 255, 0, 128
CONTRAST = 48  # levels between ink and ground from which ink is seen
HIDDEN = 0.01  # the share of ink that may be hidden before another ground is looked for
UNSEEN = 8  # levels of alpha below which nobody sees anything
REACH = 5  # pixels: what is visible counts this near to what is clear


def flatten(pixels: np.ndarray, ground: str = "contrast") -> np.ndarray:
    """Lay a transparent picture on one shade of gray.

    Args:
        pixels: uint8 or uint16 [H, W, 4] BGRA, or [H, W, 2] gray and alpha, or [H, W, 3], or
            [H, W] where the decoder found no alpha after all.
        ground: "contrast", see `best_ground`; "white" as PaddleOCR; "none" as Paddle Serving, which
            ignores alpha. It is ignored too where nothing at all is visible.

    Returns:
        uint8 [H, W, 3] BGR.
    """
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[2] == 2:
        pixels = cv2.merge([*[pixels[..., 0]] * 3, pixels[..., 1]])
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3]
    if ground == "none" or alpha.min() == 255 or (ground == "contrast" and alpha.max() < UNSEEN):
        return np.ascontiguousarray(pixels[..., :3])
    shade = WHITE if ground == "white" else best_ground(visible_ink(pixels))
    bands = (pixels[start : start + BAND] for start in range(0, len(pixels), BAND))
    return np.concatenate([lay(band, shade) for band in bands])


def visible_ink(pixels: np.ndarray) -> np.ndarray:
    """How much is visible of each gray, beside what is clear; everywhere if nothing is clear.

    A window with round corners is told by its frame, not by what is written in it.

    Args:
        pixels: uint8 [H, W, 4] BGRA.

    Returns:
        float64 [256], sums of alpha.
    """
    alpha = pixels[..., 3]
    clear = (alpha < 128).astype(np.uint8)
    near = cv2.dilate(clear, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8))
    ink = np.zeros(256)
    for start in range(0, len(pixels), BAND):
        rows = slice(start, start + BAND)
        gray = cv2.cvtColor(np.ascontiguousarray(pixels[rows, :, :3]), cv2.COLOR_BGR2GRAY)
        weight = alpha[rows] * near[rows] if clear.any() else alpha[rows]
        ink += np.bincount(gray.ravel(), weight.ravel(), 256)
    return ink


def best_ground(ink: np.ndarray) -> int:
    """White, or black for ink that is bright as a whole; gray where both would hide some of it.

    Args:
        ink: float [256], see `visible_ink`.
    """
    levels = np.arange(256)
    total = ink.sum()
    first, second = (BLACK, WHITE) if ink @ levels > 127.5 * total else (WHITE, BLACK)
    hidden = {
        shade: float(ink[np.abs(levels - shade) < CONTRAST].sum())
        for shade in (first, second, GRAY)
    }
    return next(
        (s for s in hidden if hidden[s] <= HIDDEN * total), min(hidden, key=hidden.__getitem__)
    )


def lay(pixels: np.ndarray, shade: int) -> np.ndarray:
    """Blend uint8 [H, W, 4] BGRA with one shade of gray into uint8 [H, W, 3] BGR."""
    weight = pixels[..., 3:].astype(np.float32) / 255
    return np.rint(pixels[..., :3] * weight + shade * (1 - weight)).astype(np.uint8)
