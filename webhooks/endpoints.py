"""Find what a lane belongs to: a REST Webhook card, or a subscription."""

from __future__ import annotations

from uuid import UUID

from webhooks.models import Endpoint, RestWebhook, Subscription


def find_endpoint(lane_id: UUID) -> Endpoint | None:
    """Return the card or the subscription of a lane, a deleted subscription too; None for another lane."""
    card = RestWebhook.objects.with_credential_card().select_related("lane").filter(lane=lane_id).first()
    if card is not None:
        return card
    return Subscription.objects.select_related("lane", "creator__user", "organization").filter(lane=lane_id).first()
