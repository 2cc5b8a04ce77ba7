"""The kinds of cards, by slug. Settings name their apps: each has a module `card` with its `KIND`."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from integrations.kinds import CardKind


@cache
def card_kinds() -> dict[str, CardKind[Any]]:
    """Return the kinds in the order of the tab (settings, INTEGRATION_CARDS)."""
    kinds: list[CardKind[Any]] = [import_string(f"{app}.card.KIND") for app in settings.INTEGRATION_CARDS]
    return {kind.model.slug: kind for kind in kinds}
