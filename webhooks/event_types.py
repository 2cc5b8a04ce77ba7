"""The types of events that webhooks carry."""

from django.db import models


class EventType(models.TextChoices):
    LEAD_CREATED = "lead.created", "A lead arrives"
    LEAD_UPDATED = "lead.updated", "A lead's details change"
    LEAD_CONTACT_CAPTURED = "lead.contact_captured", "A phone number or email becomes known"
    LEAD_UNANSWERED = "lead.unanswered", "Nobody has answered a lead in time"
    LEAD_OPTED_OUT = "lead.opted_out", "A lead no longer wants messages"
    MESSAGE_RECEIVED = "message.received", "A message of a lead arrives"
    MESSAGE_SENT = "message.sent", "A message was taken by the provider"
    MESSAGE_DELIVERED = "message.delivered", "A message reached the lead"
    MESSAGE_FAILED = "message.failed", "A message could not be sent"
    MESSAGE_BOUNCED = "message.bounced", "A mail came back"
    REPLY_RECEIVED = "reply.received", "A lead replies; the reply is classified"
    REPLY_CLASSIFIED = "reply.classified", "A reply's classification changes"
    CONVERSATION_OPENED = "conversation.opened", "A conversation opens"
    CONVERSATION_CLOSED = "conversation.closed", "A conversation closes"
    CONVERSATION_HANDOVER = "conversation.handover", "The team takes a conversation over, or hands it back"
    WEBHOOK_TEST = "webhook.test", "Test webhook"
    WEBHOOK_FAILING = "webhook.failing", "A webhook only fails"
    WEBHOOK_DISABLED = "webhook.disabled", "A webhook was stopped"


ABOUT_WEBHOOKS = (EventType.WEBHOOK_FAILING, EventType.WEBHOOK_DISABLED)  # one webhook may hear of another
NOT_CHOOSABLE = (EventType.WEBHOOK_TEST, *ABOUT_WEBHOOKS)
CHOOSABLE = [event_type for event_type in EventType if event_type not in NOT_CHOOSABLE]
SUBSCRIBABLE = [*CHOOSABLE, *ABOUT_WEBHOOKS]


def DEFAULT_TYPES() -> list[str]:  # noqa: N802  the default of a column, a constant in all but name
    """What a REST Webhook card sends before anybody chose."""
    return [EventType.LEAD_CREATED.value, EventType.LEAD_CONTACT_CAPTURED.value, EventType.MESSAGE_RECEIVED.value]
