"""Whose turn it is for slots: one organization's slow endpoints keep no other one waiting.

While slots are plenty everybody takes what they need. A part of them is kept for those who have less than their share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from outbox.claims import Claimed, Turn

COMMON_PART = 5 / 8  # of the slots: what those who have their share may fill


def next_turn(active: Iterable[Claimed], slots: int, free: int) -> Turn:
    """Return whose turn it is, given what is in flight. `free` slots are left of `slots`."""
    of_each = Counter(claimed.organization_id for claimed in active)
    common, used = max(1, int(slots * COMMON_PART)), slots - free
    if used < common:
        return Turn(min(free, common - used))  # no look takes more than that at once, whoever it meets
    share = common / max(1, len(of_each))
    full = frozenset(organization for organization, count in of_each.items() if count >= share)
    return Turn(-(-free // 2), full)  # half of what is left, so that the next organization always finds a slot
