"""Tell hard bounces from soft ones by the mail server's words: no such address, or only this mail not delivered."""

from __future__ import annotations

import re


def any_of(*phrases: str) -> re.Pattern[str]:
    """Return a pattern for any of these phrases; within them `is not` also stands for `isn't`."""
    spelled = (phrase.replace(" not", r"(?: not|n'?t)") for phrase in phrases)
    return re.compile("|".join(f"(?:{phrase})" for phrase in spelled), re.IGNORECASE)


_PERSON = r"(?:user|recipient|mailbox|account|address|local.?part|person)"
# The address itself: nothing sent to it will ever arrive.
_NO_SUCH_ADDRESS = any_of(
    rf"unknown (?:local )?{_PERSON}",
    rf"no such (?:local )?{_PERSON}",
    rf"(?:invalid|bad|incorrect|non-?existent) (?:destination )?{_PERSON}",
    rf"{_PERSON}[^.;\n]{{0,75}}(?:unknown|not known|not found|not exist|invalid)",
    rf"{_PERSON}[^.;\n]{{0,60}}does not (?:exist|have)",
    rf"{_PERSON}[^.;\n]{{0,60}}no longer (?:valid|available|active|exists?)",
    rf"{_PERSON}[^.;\n]{{0,60}}(?:closed|deleted|terminated)",
    rf"(?:is |are )not an? (?:active|valid|known|registered)(?: gateway)? {_PERSON}",
    rf"this {_PERSON} (?:no longer|does not|is not)",
    r"does not have an? [^.\n]{0,60}account",
    r"no mailbox (?:here )?by that name",
    r"mailbox (?:unavailable|not available)",
    r"unrouteable address",
    r"address rejected: (?:undeliverable|unknown)",
    r"recipnotfound",
    r"could not be found",
    r"not listed in",
)
_NO_SUCH_DOMAIN = any_of(
    r"(?:unknown|no such) (?:host|domain)",
    r"host (?:or domain name )?(?:unknown|not found)",
    r"domain (?:name )?(?:not found|does not exist|may not exist|(?:is )?not known|is not reachable)",
    r"[\w\-]+\.[a-z]{2,10} does not exist",
    r"(?:bad|invalid) (?:destination )?(?:domain|host|system)",
    r"could not find any host",
    r"no mail exchanger",
    r"unrouteable mail domain",
    r"name (?:or )?service (?:error|not known)",
    r"null ?mx|nxdomain",
    r"does not accept (?:mail|email)",
    r"no (?:longer )?accept(?:s|ing)? mail",
    r"dns error: domain name",
)
_MOVED = any_of(
    r"has moved", r"moved to (?:a )?new", r"new address", r"address (?:has )?changed", r"please use", r"^551 "
)
# The address may be good: this is what refused the mail.
_SOMETHING_ELSE = any_of(
    r"quota|mailbox (?:is )?full|over ?limit|storage|too (?:large|big|many)",
    r"spam|virus|block(?:ed|list)|black ?list|reputation|policy|content|attachment|filter",
    r"dmarc|dkim|\bspf\b|authenticat|relay|reverse dns|\bptr\b|sender",
    r"rate.?limit|throttl|greylist|deferred|timed? ?out|refused to talk|rejected due",
    r"suspended|disabled|inactive",
    r"syntax|size|permission|access denied|forbidden",
)
_ADDRESS = re.compile(r"<?[\w.+\-=/]{1,64}@[\w.\-]{1,255}>?")  # its words are not the server's
HARD_STATUS = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.4.4", "5.4.310"})


def is_hard(status: str, words: str) -> bool:
    """Whether nothing sent to this address will arrive: the mailbox or its domain does not exist, or has moved.

    A full mailbox, a blocklist, a policy, a server that is down say nothing of the address, however final their code.
    """
    if status.startswith("4."):
        return False
    words = _ADDRESS.sub("", words)
    if _SOMETHING_ELSE.search(words):
        return False
    no_such = _NO_SUCH_ADDRESS.search(words) or _NO_SUCH_DOMAIN.search(words) or _MOVED.search(words)
    return status in HARD_STATUS or bool(no_such)
