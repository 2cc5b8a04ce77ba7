"""Send a test lead around the whole loop, and say where it is: webhook, reply, mail to the tester."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Source, User
from api.models import ApiCall
from conversations.models import Conversation, Message
from conversations.services.arrivals import InboundContent, arrive
from conversations.services.new_leads import website_of
from core.ids import encode
from leads.models import Lead
from leads.services import Identified
from webhooks.models import Attempt, Delivery, Event, RestWebhook

PATIENCE = timedelta(minutes=2)
WORDS = "This is a test. Answer it through the Lead Reply API, and the answer is mailed to the person who sent it."


@dataclass(frozen=True)
class Hop:
    """One step of the way: done at a time, under way, or stopped with what to do about it."""

    mark: str  # ok, warn (under way), bad (stopped), off (not reached yet)
    detail: str = ""
    at: datetime | None = None
    after_ms: int | None = None  # since the lead was sent
    url: str = ""
    label: str = ""


@dataclass
class Trial:
    """A test lead on its way."""

    conversation: Conversation
    hops: list[Hop] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        waits = all(hop.mark in ("ok", "warn", "off") for hop in self.hops)
        return waits and not self.is_done and timezone.now() - self.conversation.created_at < PATIENCE

    @property
    def stopped_at(self) -> int:
        """The number of the step that did not happen."""
        return next((number for number, hop in enumerate(self.hops, 1) if hop.mark != "ok"), len(self.hops))

    @property
    def is_done(self) -> bool:
        return all(hop.mark == "ok" for hop in self.hops)


@transaction.atomic
def send_test_lead(*, source: Source, tester: User, actor: Actor) -> Conversation:
    """Let a flagged lead with the tester's own address arrive at a source; it is in no list, count or report."""
    lead = Lead.objects.create(
        organization_id=source.organization_id,
        source=source,
        first_name="Test",
        last_name="Lead",
        email=tester.email,
        contact_captured_at=timezone.now(),
        is_test=True,
    )
    words = InboundContent(content=WORDS, title="Test lead", connection=website_of(source), opens_conversation=True)
    conversation = arrive(source=source, who=Identified(lead, is_created=True), words=words).conversation
    Conversation.objects.filter(pk=conversation.pk).update(unread_at=None, waiting_since=None)
    actor.record("source.test-lead", organization=source.organization_id, target=source, source_id=source.pk)
    return conversation


def follow(conversation: Conversation) -> Trial:
    """Say how far a test lead has come."""
    trial = Trial(conversation)
    begun = conversation.created_at
    trial.hops.append(Hop("ok", conversation.source.name, begun, label="The lead arrives"))
    for label, look in STEPS.items():
        reached = trial.hops[-1].mark == "ok"
        trial.hops.append(replace(look(conversation), label=label) if reached else Hop("off", label=label))
    return trial


def _after(conversation: Conversation, at: datetime) -> int:
    return max(0, round((at - conversation.created_at) / timedelta(milliseconds=1)))


def _is_over(conversation: Conversation) -> bool:
    return timezone.now() - conversation.created_at > PATIENCE


def _webhook(conversation: Conversation) -> Hop:
    """Was it delivered? If not, why, and what to do."""
    card = RestWebhook.objects.with_credential_card().select_related("lane").get(source=conversation.source_id)
    if not card.is_set_up:
        return Hop("bad", "The REST Webhook is not set up. Set it up, then send another test lead.")
    events = list(Event.objects.filter(lead_id=conversation.lead_id).values_list("id", flat=True))
    # Open deliveries first: one that ends between the two looks has its attempt by the second.
    is_waiting = Delivery.objects.filter(event_id__in=events, lane=card.lane_id).exists()
    attempts = Attempt.objects.filter(event_id__in=events, lane_id=card.lane_id)
    last = attempts.filter(outcome=Attempt.Outcome.DELIVERED).order_by("id").first() or attempts.order_by("-id").first()
    if last:
        url = reverse("webhooks:delivery", args=[last.delivery_id])
        if last.outcome == Attempt.Outcome.DELIVERED:
            at = last.started_at + timedelta(milliseconds=last.duration_ms)
            return Hop("ok", f"{last.status_code} from {card.endpoint_host}", at, _after(conversation, at), url)
        return Hop("bad", f"{last.error or last.next_because}. Fix it and test again.", url=url)
    if is_waiting:
        if _is_over(conversation):
            return Hop("bad", "It waits still. Is a worker running? See /readyz.")
        return Hop("warn", "On its way…")
    if not card.is_enabled:
        return Hop("bad", "The REST Webhook is off. Turn Enable on, then send another test lead.")
    if card.is_stopped:
        return Hop("bad", "The REST Webhook was stopped. Turn it on again on its card.")
    return Hop("bad", "The card does not send lead.created or message.received. Choose one under Events.")


def _answer(conversation: Conversation) -> Hop:
    """Did the system answer through the API? If it tried and was refused, say how."""
    reply = _reply(conversation)
    if reply:
        return Hop("ok", reply.author_name, reply.created_at, _after(conversation, reply.created_at))
    lead = encode("lead", conversation.lead_id)
    calls = ApiCall.objects.filter(organization_id=conversation.organization_id, lead_id=conversation.lead_id)
    refused = calls.filter(status__gte=400).order_by("-id").first()
    if refused:
        url = reverse("api:api-call", args=[refused.pk])
        return Hop("bad", f"It called and got {refused.status} {refused.code}.", refused.called_at, url=url)
    if _is_over(conversation):
        what = f"Nothing came within two minutes. Your system has to POST to /v1/leads/{lead}/conversations/reply"
        return Hop("bad", f"{what} with the card's key; a 401 there is not seen here. Check its key and its log.")
    return Hop("warn", f"Waiting for POST /v1/leads/{lead}/conversations/reply…")


def _mail(conversation: Conversation) -> Hop:
    reply = _reply(conversation)
    if reply is None or reply.status in (Message.Status.QUEUED, Message.Status.SENDING):
        if _is_over(conversation):
            why = reply.error_detail if reply and reply.error_detail else "is a worker running? See /readyz"
            return Hop("bad", f"It is not sent yet: {why}.")
        return Hop("warn", "Being sent…")
    if reply.has_failed:
        return Hop("bad", reply.error_detail)
    at = reply.sent_at or reply.created_at
    return Hop("ok", f"To {conversation.lead.email}", at, _after(conversation, at))


STEPS: dict[str, Callable[[Conversation], Hop]] = {
    "The webhook tells your system": _webhook,
    "Your system answers": _answer,
    "The answer is mailed to you": _mail,
}


def _reply(conversation: Conversation) -> Message | None:
    return Message.objects.filter(conversation=conversation, author=Message.Author.API).order_by("id").first()
