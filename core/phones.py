"""Phone numbers in one form, so that the same one is found again."""

import phonenumbers


def normalize_phone(text: str, region: str = "US") -> str:
    """Return a phone number as E.164, or "" when it cannot be parsed: then it is kept as written and flagged."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
