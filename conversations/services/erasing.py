"""Erase a person: every copy of their data goes, ids, types and numbers stay."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.db import transaction
from django.db.models import Func, Q, TextField
from django.utils import timezone

from accounts.actors import Actor
from api.models import IdempotencyKey
from conversations.models import (
    Classification,
    Conversation,
    ConversationChange,
    Message,
    SentTemplate,
    StatusChange,
    Tag,
)
from conversations.models.messages import MessageQuerySet
from conversations.services.attachments import erase_files
from conversations.services.lead_changes import lock_lead
from core.secrets import Secret
from leads.models import Lead, OptOut, digest_of
from messaging.addresses import normalize_email
from messaging.models import Dispatch, InboundCall, InboundMail
from outbox.models import Lane
from webhooks.models import Attempt, Delivery, Event
from webhooks.services.endpoints import cancel_deliveries

ERASED = "[erased]"
TAG_CHANGES = (ConversationChange.Kind.TAGGED, ConversationChange.Kind.UNTAGGED)


class RawText(Func):
    """The bytes of a mail or a call as lower-case text, those beyond ASCII escaped."""

    template = "lower(encode(%(expressions)s, 'escape'))"
    output_field = TextField()


# What a stored answer becomes: the call was done, once, and what it said is gone.
_GONE = '{"erased": true}'


@transaction.atomic
def erase_lead(*, lead: Lead, actor: Actor) -> dict[str, int]:
    """Blank every copy of a lead's personal data. Return how many rows of each kind were blanked.

    Consent outlives the address: what it blocked stays blocked, by a digest of the address.
    """
    lead = lock_lead(lead.pk)
    merged = list(Lead.objects.filter(merged_into=lead).select_for_update().order_by("pk"))
    ids = [lead.pk, *(other.pk for other in merged)]
    messages = _blank_messages(lead, [lead, *merged])
    counts = {
        "events": _blank_events(ids),
        "messages": messages,
        "files": erase_files(Message.objects.filter(conversation__lead=lead).values("pk")),
        "answers": IdempotencyKey.objects.filter(lead_id__in=ids).update(answer=Secret.of(_GONE)),
        "consent": _blank_consent([lead, *merged]),
    }
    for person in (lead, *merged):
        _blank_lead(person)
    # A mail server's error may quote this address. The next failure writes a new one.
    Lane.objects.filter(connection__organization=lead.organization_id).exclude(last_error="").update(last_error="")
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


def _blank_messages(lead: Lead, leads: list[Lead]) -> int:
    conversations = Conversation.objects.filter(lead=lead).select_for_update().order_by("pk")
    now = timezone.now()
    for conversation in conversations:
        conversation.title, conversation.last_words = ERASED, ERASED
        conversation.closed_at = conversation.closed_at or now
        conversation.waiting_since = conversation.unread_at = conversation.snoozed_until = None
        _blank_tags(conversation)
        conversation.save(
            update_fields=["title", "last_words", "closed_at", "waiting_since", "unread_at", "snoozed_until", "tags"]
        )
    messages = Message.objects.filter(conversation__lead=lead)
    _blank_mails(messages, lead, leads)
    _blank_calls(leads)
    waiting = messages.filter(status__in=(Message.Status.QUEUED, Message.Status.SENDING))
    Dispatch.objects.filter(pk__in=waiting.values("pk")).delete()
    waiting.update(status=Message.Status.FAILED, error_code="lead.erased")
    messages.filter(direction=Message.Direction.INBOUND, kind=Message.Kind.MESSAGE).update(author_name=ERASED)
    Classification.objects.filter(reply__message__in=messages.values("pk")).update(why="")  # the lead's words
    SentTemplate.objects.filter(message__in=messages.values("pk")).update(variables=[])
    StatusChange.objects.filter(message__in=messages.values("pk")).exclude(reason="").update(reason=ERASED)
    messages.exclude(error_detail="").update(error_detail=ERASED)  # mail servers quote the address
    messages.filter(error_code="lead.erased").update(error_detail="The lead was erased.")
    return messages.update(content=ERASED, quoted_text="", external_id="", repeat_key="")


def _blank_tags(conversation: Conversation) -> None:
    """Take the tags away, which somebody may have named after the person, and those that no other conversation has."""
    conversation.changes.filter(kind__in=TAG_CHANGES).update(value=ERASED)
    others = Conversation.objects.filter(organization=conversation.organization_id).exclude(pk=conversation.pk)
    unused = [name for name in conversation.tags if not others.tagged(name).exists()]
    Tag.objects.filter(organization=conversation.organization_id, name__in=unused).delete()
    conversation.tags = []


def _blank_mails(messages: MessageQuerySet, lead: Lead, leads: list[Lead]) -> None:
    """Blank the mails behind the messages, and those that no conversation shows: of this person, or about them."""
    addresses = sorted({normalize_email(person.email) for person in leads if person.email})
    mails = InboundMail.objects.filter(connection__organization=lead.organization_id)
    # A mailbox that several sources use may have mails of the same address that belong to a lead of another source.
    here = Q(connection__source=lead.source_id) | (~Q(connection__callback_token="") & Q(message_id=None))
    by_them = (Q(sender__in=addresses) | Q(envelope_from__in=addresses)) & here
    named = Q(message_id__in=messages.values("pk")) | by_them
    apart = mails.filter(here).apart().alias(text=RawText("raw"))
    for address in addresses:
        named |= Q(pk__in=apart.filter(text__contains=address).values("pk"))
    mails.filter(named).update(raw=b"", envelope_from="", header_id="", sender="", subject="")


def _blank_calls(leads: list[Lead]) -> None:
    """Blank the calls of providers about this person, and those without an effect that have an address in them."""
    calls = InboundCall.objects.filter(organization_id=leads[0].organization_id)
    calls.filter(lead_ids__overlap=[person.pk for person in leads]).update(body=b"", url="", detail="")
    texts = {person.phone_e164.lstrip("+") for person in leads if person.phone_e164}
    texts |= {normalize_email(person.email) for person in leads if person.email}
    if texts:
        named = reduce(or_, (Q(text__contains=text) for text in sorted(texts)))
        without_effect = calls.without_effect().alias(text=RawText("body"))
        without_effect.filter(named).update(body=b"", url="", detail="")


def _blank_consent(leads: list[Lead]) -> int:
    """Keep a digest in place of each address of one person, unless another lead has the address too."""
    organization_id = leads[0].organization_id
    others = Lead.objects.filter(organization=organization_id, erased_at=None).exclude(
        pk__in=[person.pk for person in leads]
    )
    count = 0
    for address in sorted(
        {text for person in leads for text in (normalize_email(person.email), person.phone_e164) if text}
    ):
        if others.with_email(address).exists() or others.filter(phone_e164=address).exclude(phone_e164="").exists():
            continue  # another lead has it: its consent is that one's too
        rows = OptOut.objects.filter(organization=organization_id, address=address)
        blocked = OptOut.objects.filter(organization=organization_id, address=digest_of(address)).in_force()
        rows.filter(channel__in=blocked.values("channel"), lifted_at=None).delete()
        count += rows.update(address=digest_of(address))
    return count


def _blank_lead(lead: Lead) -> None:
    for name in ("first_name", "last_name", "email", "phone", "phone_e164", "address", "unique_id", "origin",
                 "source_url"):  # fmt: skip
        setattr(lead, name, "")
    lead.tags, lead.custom_fields, lead.not_announced_to = [], {}, []
    lead.erased_at = lead.updated_at = timezone.now()
    lead.save()
