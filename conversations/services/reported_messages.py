"""A message of the lead that a caller took on a channel of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from conversations.models import Conversation, Message
from conversations.services.arrivals import InboundContent, arrive
from conversations.services.lead_changes import lock_lead
from conversations.services.new_leads import website_of
from leads.models import Lead
from leads.services import Identified


@dataclass(frozen=True)
class ReportedMessage:
    """What was said, and the caller's own id of it, by which a repeat is known."""

    content: str
    external_id: str
    said_at: datetime | None = None


@transaction.atomic
def report_message(*, lead: Lead, reported: ReportedMessage, into: Conversation | None = None) -> tuple[Message, bool]:
    """Record what the lead said, once. Return the message and whether it is new."""
    lead = lock_lead(lead.pk)  # two reports of one message wait for each other here
    connection = website_of(lead.source)
    rows = Message.objects.filter(connection=connection, repeat_key=reported.external_id)
    before = rows.filter(direction=Message.Direction.INBOUND).first()
    if before:
        return before, False
    words = InboundContent(
        content=reported.content,
        title=" ".join(reported.content.split())[:80],
        connection=connection,
        external_id=reported.external_id,
        repeat_key=reported.external_id,
        said_at=reported.said_at,
    )
    return arrive(source=lead.source, who=Identified(lead), words=words, into=into).message, True
