"""Serializer fields without type coercion: `"12"` is not a number, `12` is not a string."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from rest_framework import serializers

# RFC 3339, 5.6. A zone that is left out is UTC, a day alone begins at midnight. Python's own parser takes more:
# weeks, compact forms, any letter between day and time.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?)?")


class StrictString(serializers.CharField):
    """A JSON string."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("This is not a string.", code="type")
        return super().to_internal_value(data)


class StrictBoolean(serializers.BooleanField):
    """`true` or `false`."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("Give true or false.", code="type")
        return data


class WholeObject(serializers.Serializer[Any]):
    """An object inside a body, which is replaced whole: a PATCH too gives all its required fields.

    For a PATCH, DRF requires no field, and of objects inside none either.
    """

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        missing = [name for name, field in self.fields.items() if field.required and name not in value]
        if missing:
            detail = "This field is required."
            raise serializers.ValidationError({name: [detail] for name in missing}, code="required")
        return value


class StrictDateTime(serializers.DateTimeField):
    """A point in time (RFC 3339)."""

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or not _MOMENT.fullmatch(value) or not value.isascii():
            raise serializers.ValidationError("Write a time as 2026-03-01T09:30:00Z.", code="invalid")
        moment: datetime = super().to_internal_value(value)
        return moment
