"""Template filters about who sees what."""

from __future__ import annotations

from django import template

from accounts.models import Source, User
from accounts.reach import reach_of

register = template.Library()


@register.filter
def seen_by(source: Source | None, user: User) -> bool:
    """True when the person may see the source: a location's business may be out of their sight."""
    return source is not None and reach_of(user).includes(source)
