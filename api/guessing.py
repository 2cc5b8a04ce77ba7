"""Rate-limit clients that guess API keys, without hindering callers behind the same address that show a valid key."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import Any

from django.conf import settings

from api.rates import count
from core.http import network_of
from core.problems import Refusal
from core.secrets import digest

KEPT = 10_000
# Both of this process, the oldest go first.
_refused: OrderedDict[str, float] = OrderedDict()  # networks, and until when (time.monotonic)
_counted: OrderedDict[tuple[str, bytes], None] = OrderedDict()  # by network: digests of what it showed


def count_guess(address: str | None, key: str) -> None:
    """Count a well-formed key that opens nothing. Raise Refusal 429 where an address showed too many of them.

    Mistyped keys are refused without a look-up and not counted. The same key again is no new guess: it is a system that
    goes on with a key that ended.
    """
    network, quota = network_of(address), settings.LEADWIRE_UNKNOWN_KEYS_PER_MINUTE
    wait = _refused.get(network, 0.0) - time.monotonic()
    if wait > 0:
        headers = {"Retry-After": str(math.ceil(wait))}
        raise Refusal(429, "rateLimit.guessing", "Too many unknown keys from this address. Wait.", headers=headers)
    if (network, digest(key)) in _counted:
        return
    _remember(_counted, (network, digest(key)), None)
    rate = count(f"guess:{network}", quota, quota * 60)
    full = [window.resets_in for window in (rate.minute, rate.hour) if window.is_full]
    if full:
        _remember(_refused, network, time.monotonic() + max(full))


def _remember(entries: OrderedDict[Any, Any], key: object, value: object) -> None:
    entries[key] = value
    entries.move_to_end(key)
    while len(entries) > KEPT:
        entries.popitem(last=False)
