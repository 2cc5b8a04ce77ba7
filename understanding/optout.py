"""Words by which a lead stops or resumes messages: only where they are the whole message, as SMS providers do."""

from __future__ import annotations

from understanding.intent import stop_word

__all__ = ["is_start", "stop_word"]  # STOP in every language of phrases/, Twilio's and the FCC's words among them
START_WORDS = frozenset({"start", "unstop"})


def is_start(text: str) -> bool:
    return " ".join(text.lower().strip(" .!\n").split()) in START_WORDS
