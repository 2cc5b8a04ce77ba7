"""Which leads a caller gets at, after the options of the card."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from rest_framework.request import Request

from accounts.models import Source
from accounts.reach import ReachQuerySet
from api.base import caller_of, id_of
from api.call_log import set_call_subject
from api.callers import Caller
from conversations.models import Conversation, Message
from core.problems import NotFound, Refusal
from leads.models import Lead, LeadQuerySet, surviving_id
from leads.presentation import lead_json


def leads_listed_for(caller: Caller) -> LeadQuerySet:
    """The leads that a list shows. A source's key: of enabled cards, as each card's options say."""
    leads = Lead.objects.visible_to(caller).real()
    sources = caller.enabled_sources()
    if sources is None:
        return leads
    shown = Q(pk__in=[])
    for source in sources:
        condition = Q(source=source.id)
        if source.needs_contact:
            condition &= ~Q(email="", phone="")
        if source.only_new_leads:
            condition &= Q(returned_at=None)
        shown |= condition
    return leads.filter(shown)


def load_lead(request: Request, text: str) -> Lead:
    """Return one lead by its id. The same 404 for what is not there and what is somebody else's; 403 where off."""
    rows = Lead.objects.active().filter(pk=surviving_id(id_of("lead", text, "lead")))
    lead: Lead = _load(request, rows, "lead")
    return lead


def load_conversation(request: Request, text: str) -> Conversation:
    rows = Conversation.objects.filter(pk=id_of("conv", text, "conversation"), lead__erased_at=None)
    rows = rows.select_related("connection", "assignee", "source")
    conversation: Conversation = _load(request, rows, "conversation")
    return conversation


def refuse_archived(source: Source) -> None:
    """Raise Refusal `source.archived`: nothing is added to a source that was put away."""
    if source.is_archived:
        raise Refusal(409, "source.archived", "This source is archived. Restore it first.")


def load_message(request: Request, text: str) -> Message:
    rows = Message.objects.filter(pk=id_of("msg", text, "message"), lead__erased_at=None)
    message: Message = _load(request, rows, "message")
    return message


def _load(request: Request, rows: ReachQuerySet[Any], what: str) -> Any:
    caller = caller_of(request)
    row = rows.visible_to(caller).first()
    if row is None:
        raise NotFound(what)
    set_call_subject(request, source_id=row.source_id, lead_id=row.pk if what == "lead" else row.lead_id)
    caller.require_source(row.source_id)
    return row


def source_name_if_chosen(caller: Caller, lead: Lead) -> str | None:
    """Return the source's name for a source's key whose card has the option *Include source name*, else None."""
    source = caller.sources.get(lead.source_id)
    return source.name if source and source.includes_source_name else None


def shown_lead(caller: Caller, lead: Lead, opted_out: list[Any]) -> dict[str, Any]:
    return lead_json(lead, opted_out, source_name=source_name_if_chosen(caller, lead))
