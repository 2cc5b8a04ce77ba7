"""What is particular to one integration card: one file for each, one line here."""

from typing import Any

from integrations.cards.base import CardKind, Made
from integrations.cards.lead_reply_api import LeadReplyApiKind
from integrations.cards.rest_webhook import RestWebhookKind

CARDS: dict[str, CardKind[Any]] = {kind.model.slug: kind for kind in (RestWebhookKind(), LeadReplyApiKind())}

__all__ = ["CARDS", "CardKind", "Made"]
