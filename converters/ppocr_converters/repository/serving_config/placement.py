"""Which GPU card each instance runs on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ppocr_converters.repository.deployment_plan import Instances


def parse_cards(devices: str) -> tuple[int, ...]:
    """The cards of a text such as "0,1,2"; none of an empty one."""
    return tuple(int(card) for card in devices.split(",")) if devices.strip() else ()


def round_robin(count: int, cards: Sequence[int]) -> tuple[Instances, ...]:
    """Instance i runs on card i mod n, as in Paddle Serving: 7 on 0, 1, 2 are 3, 2 and 2.

    Args:
        count: instances in all, at least 1.
        cards: numbers of the GPUs; one that is named twice gets twice as many.

    Returns:
        A group for each card that gets any, in the order of the cards.
    """
    each, more = divmod(count, len(cards))
    shares: Counter[int] = Counter()
    for index, card in enumerate(cards[:count]):
        shares[card] += each + (index < more)
    return tuple(Instances(share, "KIND_GPU", (card,)) for card, share in shares.items())
