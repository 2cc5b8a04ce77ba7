"""Two leads turn out to be one person."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from conversations.models import Conversation, Message, ReceivedReply
from conversations.services.events import publish_lead_event
from core.problems import NotFound, Refusal
from leads.models import Lead
from leads.services import FILLABLE, TAGS_MAX, lock_identities
from webhooks.event_types import EventType


@transaction.atomic
def merge_leads(*, lead: Lead, into: Lead, actor: Actor) -> Lead:
    """Move what belongs to `lead` to `into`, fill what was empty there, and let the first id name the second.

    An address that `into` does not take stays with `lead`, and who writes from it is `into`.

    Raise Refusal `lead.otherSource` for leads of different sources, `lead.sameLead` for one and the same.
    """
    if lead.pk == into.pk:
        raise Refusal(422, "lead.sameLead", "A lead cannot be merged into itself.")
    if lead.source_id != into.source_id:
        raise Refusal(422, "lead.otherSource", "Only leads of one source can be merged.")
    lock_identities(
        lead.source, lead.email, into.email, lead.unique_id, into.unique_id, lead.phone_e164, into.phone_e164
    )
    rows = Lead.objects.active().filter(pk__in=[lead.pk, into.pk]).order_by("pk")  # both, in one order
    both = {row.pk: row for row in rows.select_for_update(of=("self",), no_key=True).select_related("source")}
    if len(both) < 2:
        raise NotFound("lead")
    lead, into = both[lead.pk], both[into.pk]
    moved = Conversation.objects.filter(lead=lead).update(lead=into)
    Message.objects.filter(lead=lead).update(lead=into)
    ReceivedReply.objects.filter(lead=lead).update(lead=into)
    _take(into, lead)
    lead.merged_into = into
    for name in ("email", "unique_id"):  # these name one lead only
        if getattr(into, name) == getattr(lead, name):
            setattr(lead, name, "")
    lead.save(update_fields=["merged_into", "email", "unique_id"])
    Lead.objects.filter(merged_into=lead).update(merged_into=into)
    into.save()
    publish_lead_event(EventType.LEAD_UPDATED, into)
    actor.record(
        "lead.merge",
        organization=into.organization_id,
        target=into.public_id,
        source_id=into.source_id,
        after={"merged": lead.public_id, "conversations": moved},
    )
    return into


def _take(into: Lead, lead: Lead) -> None:
    for name in FILLABLE:
        if not getattr(into, name):
            setattr(into, name, getattr(lead, name))
    if not into.phone_e164:
        into.set_phone(into.phone)
    into.tags = list(dict.fromkeys([*into.tags, *lead.tags]))[:TAGS_MAX]
    into.custom_fields = {**lead.custom_fields, **into.custom_fields}
    into.opt_in |= lead.opt_in
    into.opt_in_transactional_sms |= lead.opt_in_transactional_sms
    captured = [at for at in (into.contact_captured_at, lead.contact_captured_at) if at]
    into.contact_captured_at = min(captured, default=None)
    into.last_message_at = max(into.last_message_at, lead.last_message_at)
    into.returned_at = into.returned_at or lead.returned_at
    into.updated_at = timezone.now()
