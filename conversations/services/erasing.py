"""Erase a person: every copy of their data goes, ids, types and numbers stay."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import AuditEntry
from conversations.models import Conversation, InboundMail, Message
from conversations.services.details import lock_lead
from integrations.models import Attempt, Delivery, Dispatch, Event, IdempotencyKey
from integrations.outbox.ending import cancel_deliveries
from integrations.secrets import Secret
from leads.contact import normalize_email
from leads.models import Lead, OptOut, digest_of

ERASED = "[erased]"
# What a stored answer becomes: the call was done, once, and what it said is gone.
_GONE = '{"erased": true}'


@transaction.atomic
def erase_lead(*, lead: Lead, actor: Actor) -> dict[str, int]:
    """Blank every copy of a lead's personal data. Return how many rows of each kind were blanked.

    Consent outlives the address: what it blocked stays blocked, by a digest of the address.
    """
    lead = lock_lead(lead.pk)
    words = [text for text in (lead.name, lead.email, lead.phone, lead.phone_e164) if text and text != "Unknown lead"]
    merged = list(Lead.objects.filter(merged_into=lead).select_for_update().order_by("pk"))
    ids = [lead.pk, *(one.pk for one in merged)]
    counts = {
        "events": _blank_events(ids),
        "messages": _blank_messages(lead),
        "answers": IdempotencyKey.objects.filter(lead_id__in=ids).update(answer=Secret.of(_GONE).token),
        "consent": _blank_consent(lead),
        "audit_entries": _blank_audit(lead, words),
    }
    for one in (lead, *merged):
        _blank_lead(one)
    actor.record(
        "lead.erase",
        organization=lead.organization_id,
        target=lead.public_id,
        source_id=lead.source_id,
        after=dict(counts),
    )
    return counts


def _blank_events(lead_ids: list[Any]) -> int:
    """Events stay in the feed without what they said; what waits of them is cancelled, what was sent is forgotten."""
    events = list(Event.objects.filter(lead_id__in=lead_ids).values_list("pk", flat=True))
    cancel_deliveries(Delivery.objects.filter(event_id__in=events), "The lead was erased")
    Event.objects.filter(pk__in=events).update(payload={"erased": True})
    Attempt.objects.filter(event_id__in=events).update(request_body="", answer_body="", answer_headers={})
    return len(events)


def _blank_messages(lead: Lead) -> int:
    conversations = Conversation.objects.filter(lead=lead).select_for_update().order_by("pk")
    now = timezone.now()
    for conversation in conversations:
        conversation.title, conversation.last_words = ERASED, ERASED
        conversation.closed_at = conversation.closed_at or now
        conversation.waiting_since = conversation.unread_at = None
        conversation.save(update_fields=["title", "last_words", "closed_at", "waiting_since", "unread_at"])
    messages = Message.objects.filter(conversation__lead=lead)
    InboundMail.objects.filter(message__in=messages).update(raw=b"", envelope_from="", header_id="")
    waiting = messages.filter(status__in=(Message.Status.QUEUED, Message.Status.SENDING))
    Dispatch.objects.filter(pk__in=waiting.values("pk")).delete()
    waiting.update(status=Message.Status.FAILED, error_code="lead.erased", error_detail="The lead was erased.")
    messages.filter(author=Message.Author.LEAD).update(author_name=ERASED)
    return messages.update(content=ERASED, folded="", external_id="")


def _blank_consent(lead: Lead) -> int:
    addresses = [address for address in (normalize_email(lead.email), lead.phone_e164) if address]
    count = 0
    for address in addresses:
        still_used = Lead.objects.filter(organization=lead.organization_id).present().exclude(pk=lead.pk)
        if still_used.with_email(address).exists() or still_used.filter(phone_e164=address).exists():
            continue  # another lead has it: its consent is that one's too
        rows = OptOut.objects.filter(organization=lead.organization_id, address=address)
        kept = OptOut.objects.filter(organization=lead.organization_id, address=digest_of(address)).in_force()
        rows.filter(channel__in=kept.values("channel"), lifted_at=None).delete()
        count += rows.update(address=digest_of(address))
    return count


def _blank_audit(lead: Lead, words: list[str]) -> int:
    """The log keeps who did what and when; whom it was done to has an id there."""
    count = 0
    for text in words:
        rows = AuditEntry.objects.filter(organization=lead.organization_id, target__icontains=text)
        count += rows.update(target=lead.public_id)
    return count


def _blank_lead(lead: Lead) -> None:
    for name in ("first_name", "last_name", "email", "phone", "phone_e164", "address", "unique_id", "origin",
                 "source_url"):  # fmt: skip
        setattr(lead, name, "")
    lead.tags, lead.custom_fields, lead.withheld_from = [], {}, []
    lead.erased_at = lead.updated_at = timezone.now()
    lead.save()
