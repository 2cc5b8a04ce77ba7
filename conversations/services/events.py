"""Events of leads and conversations, as webhooks and the feed carry them."""

from __future__ import annotations

from django.db import connection

from accounts.models import Source
from conversations.models import Conversation, Message
from conversations.presentation import message_json
from core.ids import encode
from leads.models import Lead, OptOut
from leads.presentation import lead_json
from webhooks.event_types import EventType
from webhooks.publishing import EventDraft, Published, publish

_NEXT_IN_SEQUENCE = "UPDATE conversations_conversation SET sequence = sequence + 1 WHERE id = %s RETURNING sequence"


def draft_event(
    event_type: EventType, source: Source, lead: Lead, conversation: Conversation | None, message: Message | None
) -> EventDraft:
    """Describe an event of a lead, with the message as it is now. A lead may have no conversation: it was imported."""
    opted_out = OptOut.objects.of(lead) if lead.has_contact else []
    payload = {
        "lead": lead_json(lead, opted_out, source_name=source.name),
        "conversation_id": encode("conv", conversation.pk) if conversation else None,
        "message": message_json(message) if message else None,
    }
    if event_type is EventType.CONVERSATION_HANDOVER and conversation:
        payload["handled_by"] = conversation.handled_by  # then: by the time of its delivery it may be another
    return EventDraft(
        type=event_type,
        organization_id=lead.organization_id,
        source_id=source.pk,
        lead_id=lead.pk,
        conversation_id=conversation.pk if conversation else None,
        sequence=conversation.sequence if conversation else 0,
        payload=payload,
        has_message=message is not None,
        is_ready=lead.has_contact,
        is_new=lead.is_new,
        not_announced_to=frozenset(lead.not_announced_to),
    )


def publish_lead_event(event_type: EventType, lead: Lead) -> None:
    """Publish an event of a lead whose row is locked: its details or its consent changed.

    It takes its number from the lead's newest conversation, so that receivers can sort it.
    """
    conversation = Conversation.objects.filter(lead=lead).select_for_update(no_key=True).newest_first().first()
    if conversation:
        conversation.sequence += 1
        conversation.save(update_fields=["sequence"])
    keep_withheld(lead, publish(draft_event(event_type, lead.source, lead, conversation, None)))


def publish_conversation_event(
    event_type: EventType, conversation: Conversation, message: Message | None = None
) -> None:
    """Publish an event of a conversation that is not an arrival: sent, failed, opened, closed. Locks its row."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_IN_SEQUENCE, [conversation.pk])
        conversation.sequence = cursor.fetchone()[0]
    lead = Lead.objects.get(pk=conversation.lead_id)
    publish(draft_event(event_type, conversation.source, lead, conversation, message))


def keep_withheld(lead: Lead, published: Published, **changed: object) -> None:
    """Remember which endpoints were not told of this lead, with what else changed about it."""
    if published.not_announced_to != frozenset(lead.not_announced_to):
        changed["not_announced_to"] = lead.not_announced_to = list(published.not_announced_to)
    if changed:
        Lead.objects.filter(pk=lead.pk).update(**changed)
