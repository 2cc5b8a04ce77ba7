"""What a mail can report."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    BOUNCE = "bounce"  # it did not arrive, and will not
    DELAY = "delay"  # it has not arrived yet
    DELIVERED = "delivered"
    COMPLAINT = "complaint"  # the recipient calls it spam
    READ_RECEIPT = "read_receipt"
