"""Addresses of leads in one form, so that the same person is found again."""

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3


def normalize_email(text: str) -> str:
    """Return an email address in the form in which it is compared: trimmed, in lower case."""
    return text.strip().lower()


def is_email(text: str) -> bool:
    """True when mail can be sent to `text` and it is safe in a header."""
    if len(text) > EMAIL_MAX or not text.isascii():
        return False
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def normalize_phone(text: str, region: str = "US") -> str:
    """Return a phone number as E.164, or "" when it cannot be parsed: then it is kept as written and flagged."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
