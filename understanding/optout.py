"""Words by which a lead stops or resumes messages."""

from __future__ import annotations

# Matched only when they are the whole mail, as SMS providers do.
STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out"})
START_WORDS = frozenset({"start", "unstop"})
