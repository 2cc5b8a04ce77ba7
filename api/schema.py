"""The envelope of every answer, for the OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import Any

from rest_framework import serializers


class Meta(serializers.Serializer[Any]):
    next_cursor = serializers.CharField(allow_null=True)


@cache
def enveloped(name: str, inner: type[serializers.Serializer[Any]], *, many: bool, paged: bool = True) -> Any:
    """Return the schema of `{"data": {name: ...}, "meta": ...}`."""
    title = "".join(part.capitalize() for part in name.split("_"))
    data = type(f"{title}Data", (serializers.Serializer,), {name: inner(many=many)})
    fields: dict[str, Any] = {"data": data()}
    if many and paged:
        fields["meta"] = Meta()
    return type(f"{title}Answer", (serializers.Serializer,), fields)
