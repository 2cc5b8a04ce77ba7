"""Who wrote a mail."""

from __future__ import annotations

import re
from email.utils import getaddresses
from typing import NamedTuple

from core.mime.headers import Headers, decode_words
from messaging.addresses import is_email, normalize_email

NAME_MAX = 200  # characters
_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:@]{1,64}@[^\s<>()\[\]\"',;:@]{1,190}")
_VIA = re.compile(r"^['\"]?(.{1,100}?)['\"]? via .{1,100}$", re.IGNORECASE)  # how groups and lists write it

# Programs that send what somebody else wrote, and name that person in Reply-To.
_PROGRAM = re.compile(
    r"(?:no|not|do[-_.]?not|dont|never)[-_.]?reply.*"
    r"|forms?|form-?responses?|form-?submissions?|notifications?|notify|mailer|wordpress|www-data|apache|nginx|website"
)
_FORM_SERVICES = (
    "123formbuilder.com", "cognitoforms.com", "fillout.com", "formcarry.com", "formspree.io", "formstack.com",
    "formsubmit.co", "getform.io", "jotform.com", "netlify.app", "netlify.com", "paperform.co", "squarespace.com",
    "squarespace.info", "tally.so", "typeform.com", "usebasin.com", "web3forms.com", "webflow.com", "wix-forms.com",
    "wixforms.com", "wufoo.com",
)  # fmt: skip


class Sender(NamedTuple):
    """A person by name and normalized address; the address is "" when there is none that could be answered."""

    name: str = ""
    address: str = ""


def sender_of(headers: Headers) -> Sender:
    """Return who wrote a mail: From; Reply-To where From is a program or a list that speaks for somebody."""
    author = _first(headers.source("From")) or _first(headers.source("Sender"))
    answers_to = _first(headers.source("Reply-To"))
    if author is None:
        return answers_to or Sender(_shown(headers.text("From")))
    if answers_to is None or answers_to.address == author.address:
        return author
    via = _VIA.match(author.name)
    if via:
        return Sender(answers_to.name or via[1], answers_to.address)
    return answers_to if _speaks_for_others(author.address) else author


def _speaks_for_others(address: str) -> bool:
    local_part, _, domain = address.partition("@")
    is_service = any(domain == name or domain.endswith(f".{name}") for name in _FORM_SERVICES)
    return is_service or bool(_PROGRAM.fullmatch(local_part))


def _first(source: str) -> Sender | None:
    """The first address of a header. Some programs encode all of it, or leave the brackets out."""
    if not source:
        return None
    for text in (source, decode_words(source)):
        for name, address in getaddresses([text]):
            normalized = normalize_email(address)
            if is_email(normalized):
                return Sender(_shown(decode_words(name)), normalized)
    text = decode_words(source)
    for match in _ADDRESS.finditer(text):
        if is_email(normalize_email(match[0])):
            return Sender(_without_address(text), normalize_email(match[0]))
    return None


def _without_address(text: str) -> str:
    return _shown(_ADDRESS.sub("", text).strip(" <>\"'"))


def _shown(name: str) -> str:
    return " ".join(name.split())[:NAME_MAX]
