"""CTC greedy decoding: the best class of every step becomes text with a score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

BLANK = 0


def load_dictionary(path: Path, classes: int) -> list[str]:
    """Read the characters of a model, one a line, and check that they fit its classes.

    Args:
        path: UTF-8 text; the entry of line i (from 1) is class i, class 0 is the CTC blank.
        classes: the model's class count.

    Raises:
        ValueError: no UTF-8, or another number of entries than the model has classes.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error}; write it as UTF-8") from error
    characters = text.removesuffix("\n").split("\n")
    if len(characters) + 1 != classes:
        raise ValueError(
            f"{path} has {len(characters)} characters, with the blank {len(characters) + 1} "
            f"classes, but the recogniser has {classes}; build the repository again from the "
            f"recogniser and its own dictionary"
        )
    return characters


def ctc_decode(
    indices: np.ndarray, probabilities: np.ndarray, characters: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """Decode a batch: repeats are merged, blanks dropped.

    Args:
        indices: int32 [N, T], the best class of each step.
        probabilities: float32 [N, T], its probability.
        characters: the character of class 1, 2, ...

    Returns:
        N texts, and float32 [N] scores: the mean probability of the kept steps, 0 for no text.

    Raises:
        ValueError: a class that has no character.
    """
    low, high = indices.min(initial=BLANK), indices.max(initial=BLANK)
    if low < BLANK or high > len(characters):
        raise ValueError(
            f"INDICES of rec hold classes from {low} to {high}; allowed: 0 to {len(characters)}, "
            f"those of the dictionary; build the repository again from the recogniser and its own"
        )
    kept = kept_steps(indices)
    read = [characters[index - 1] for index in indices[kept].tolist()]
    sure = probabilities[kept]
    texts, scores = [], np.zeros(len(indices), np.float32)
    start = 0
    for row, count in enumerate(kept.sum(axis=1).tolist()):
        end = start + count
        texts.append("".join(read[start:end]))
        if texts[-1]:
            scores[row] = np.add.reduce(sure[start:end]) / np.float32(count)
        start = end
    return texts, scores


def kept_steps(indices: np.ndarray) -> np.ndarray:
    """The steps that give a character: the first of each run that is not blank.

    Args:
        indices: int32 [N, T], the best class of each step.

    Returns:
        bool [N, T].
    """
    kept = indices != BLANK
    kept[:, 1:] &= indices[:, 1:] != indices[:, :-1]
    return kept
