"""Addresses of leads in one form, so that the same person is found again."""

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from core.phones import normalize_phone

__all__ = ["is_email", "normalize_email", "normalize_phone", "read_address"]

NOT_AN_ADDRESS = {
    "phone": "This is not a phone number. Write it with its country code.",
    "email": "This is not an email address. It looks like sales@example.com.",
}
EMAIL_MAX = 254  # bytes: RFC 5321, 4.5.3.1.3
_validate = EmailValidator(allowlist=[])  # without "localhost"


def normalize_email(text: str) -> str:
    """Return an email address in the form in which it is compared: trimmed, in lower case."""
    return text.strip().lower()


def read_address(kind: str, text: str) -> str:
    """Return an address in its one form. `kind`: "email" or "phone". Raise ValueError, in words for people."""
    address = normalize_phone(text) if kind == "phone" else normalize_email(text)
    if not address or (kind == "email" and not is_email(address)):
        raise ValueError(NOT_AN_ADDRESS[kind])
    return address


def is_email(text: str) -> bool:
    """True when mail can be sent to `text` over the internet and it is safe in a header.

    Addresses beyond ASCII are taken (RFC 6531, and IDNA for the domain). A machine's own address ("a@[10.0.0.5]") and
    a local name ("a@localhost") are not: our own mail server would be asked to speak to them.
    """
    local_part, _, domain = text.rpartition("@")
    if len(text.encode("utf-8", "replace")) > EMAIL_MAX or domain.startswith("["):
        return False
    if not text.isprintable() or " " in text:
        return False
    try:
        _validate(f"{_ascii_letters(local_part)}@{domain}")
    except (ValidationError, UnicodeError):
        return False
    return True


def _ascii_letters(local_part: str) -> str:
    """Put a letter for each character that RFC 6531 adds, so that what is known of the others can be checked."""
    return "".join(c if c.isascii() else "a" for c in local_part)
