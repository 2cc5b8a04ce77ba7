"""Custom fields: what an organization wants to know of its leads, and what their values look like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from leads.models import CustomField

VALUE_MAX = 10_000  # characters
NUMBER_DIGITS = 15  # before the point
# A day, or a time of which the day is kept: as programs write them, nothing else behind it.
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([Tt ][0-9:.]{5,18}([Zz]|[+-][0-9]{2}:?[0-9]{2})?)?")


def coerce(organization_id: UUID, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values as they are kept, and what is wrong with the others, each by its name.

    A name without a definition is text. None removes a value.
    """
    return coerce_with(definitions(organization_id, values), values) if values else ({}, {})


def definitions(organization_id: UUID, keys: Iterable[str]) -> dict[str, CustomField]:
    return {field.key: field for field in CustomField.objects.filter(organization=organization_id, key__in=list(keys))}


def coerce_with(fields: Mapping[str, CustomField], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The same with definitions that were read before: for many leads at once."""
    coerced, errors = {}, {}
    for name, value in values.items():
        try:
            coerced[name] = None if value is None else _coerce(fields.get(name), value)
        except ValueError as error:
            errors[name] = str(error)
    return coerced, errors


def _coerce(field: CustomField | None, value: Any) -> Any:
    if isinstance(value, dict | list):
        raise ValueError("A custom field holds one value, no list and no object.")
    text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    if len(text) > VALUE_MAX:
        raise ValueError(f"At most {VALUE_MAX} characters.")
    kind = field.kind if field else CustomField.Kind.TEXT
    if kind == CustomField.Kind.NUMBER:
        return _number(text)
    if kind == CustomField.Kind.DATE:
        return _date(text)
    if field and kind == CustomField.Kind.CHOICE and text not in field.choices:
        raise ValueError(f"Choose one of: {', '.join(field.choices)}.")
    return text


def _number(text: str) -> int | float:
    try:
        number = Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError("This is not a number.") from error
    if not number.is_finite() or number.adjusted() >= NUMBER_DIGITS:  # before any sum: 1E+999999999 takes for ever
        raise ValueError("A number is smaller than 1,000,000,000,000,000.")
    if number.adjusted() < -NUMBER_DIGITS:
        return 0
    return int(number) if number == number.to_integral_value() else float(number)


def _date(text: str) -> str:
    written = _DATE.fullmatch(text.strip())
    try:
        if written is None:
            raise ValueError
        return date.fromisoformat(written[1]).isoformat()
    except ValueError as error:
        raise ValueError("This is not a date. Write it as 2026-03-01.") from error
