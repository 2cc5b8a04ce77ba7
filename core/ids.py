"""How ids and times look at the edge. Inside, ids are UUIDv7 and times are aware."""

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, so that ids survive being read aloud
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
ENCODED_LENGTH = 26
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]  # ten bits at a time


_RANDOM_BITS = 74
_lock = threading.Lock()
os.register_at_fork(after_in_child=_lock._at_fork_reinit)  # type: ignore[attr-defined]  # as Python's own modules do it
_last = 0  # the newest id of this process: 48 bits of milliseconds and its random ones


def uuid7(at: datetime | None = None) -> UUID:
    """Return a new UUIDv7 (RFC 9562, 5.7): 48 bits of milliseconds, then 74 random bits.

    Those that one process makes in one millisecond are in order too (6.2, method 2), by steps that nobody can guess.
    """
    global _last
    milliseconds = int(at.timestamp() * 1000) if at else time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big") >> 6
    number = (milliseconds << _RANDOM_BITS) | random
    if at is None:
        with _lock:
            if number <= _last and _last >> _RANDOM_BITS == milliseconds:
                number = _last + 1 + (random & 0xFFFFFFFF)
            _last = number
    value = (number >> 62 << 64) | (number & ((1 << 62) - 1))  # makes room for the variant
    value = (value >> 76 << 80) | (value & ((1 << 76) - 1))  # and for the version
    return UUID(int=value | (0x7 << 76) | (0x2 << 62))


def first_id(at: datetime) -> UUID:
    """Return the smallest UUIDv7 of a millisecond: ids of rows written at or after it are not smaller."""
    return UUID(int=(max(0, int(at.timestamp() * 1000)) << 80) | (0x7 << 76))  # there was nothing before 1970


def encode(prefix: str, value: UUID) -> str:
    """Return `value` as it is shown outside: `lead_01j...`. It sorts like the UUID, so by time."""
    number = value.int
    return f"{prefix}_{''.join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])}"


def decode(prefix: str, text: str) -> UUID | None:
    """Return the UUID behind an outside id, or None when `text` is not an id with this prefix."""
    head, _, body = text.partition("_")
    if head != prefix or len(body) != ENCODED_LENGTH:
        return None
    number = 0
    for character in body:
        value = _VALUES.get(character)
        if value is None:
            return None
        number = (number << 5) | value
    return UUID(int=number) if number < 1 << 128 else None


def rfc3339(value: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC with Z."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value else None
