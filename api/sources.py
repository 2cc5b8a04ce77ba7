"""The sources that a call names."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.models import Source
from api.callers import Caller
from core.ids import decode
from core.problems import Invalid, NotFound


def source_named(text: str, caller: Caller) -> UUID | None:
    """Return the id of the source that a filter names, by id or external id. What the caller may see is not asked."""
    if source_id := decode("src", text):
        return source_id
    source = Source.objects.visible_to(caller).named(text, organizations=[caller.organization_id]).first()
    return source.pk if source else None


def source_for(caller: Caller, data: dict[str, Any]) -> Source:
    """Return the source that a call names in its body or header; a token that reaches only one may leave it out.

    Where the header X-On-Behalf-Of names an organization or a business, the body may name a source inside it, and the
    body's source is the one that counts. A source outside it is a contradiction: Invalid, whether it exists or not.
    """
    names = {field: data[field] for field in ("source_id", "business_id") if field in data}
    reachable = Source.objects.visible_to(caller)
    if caller.named_source_id and not names:
        return reachable.get(pk=caller.named_source_id)
    named: set[Source] = set()
    for field, name in names.items():
        source = reachable.named(name, organizations=[caller.organization_id]).first()
        if source is None and caller.names_a_place:
            raise Invalid.at(f"#/{field}", "X-On-Behalf-Of names a place without this source.", "conflict")
        if source is None:
            raise NotFound("source")
        named.add(source)
    if len(named) > 1:
        raise Invalid.at("#/business_id", "The call names different sources.", "conflict")
    if named:
        return named.pop()
    several = list(reachable.active()[:2])
    if len(several) != 1:
        raise Invalid.at("#/source_id", "Say which source this lead belongs to.", "required")
    return several[0]
