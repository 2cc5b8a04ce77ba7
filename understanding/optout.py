"""Words by which a lead stops or resumes messages: only where they are the whole message, as SMS providers do."""

from __future__ import annotations

from understanding.intent import stop_word

__all__ = ["is_start", "stop_word"]  # STOP in every language of phrases/, Twilio's and the FCC's words among them
START_WORDS = frozenset({"start", "unstop"})
START_BY_SMS = START_WORDS | {"yes"}  # https://help.twilio.com/articles/223134027: after a STOP nothing else was asked


def is_start(text: str, *, by_sms: bool = False) -> bool:
    return " ".join(text.lower().strip(" .!\n").split()) in (START_BY_SMS if by_sms else START_WORDS)
