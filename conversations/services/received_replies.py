"""Replies of leads and their classification, by rules, models and people."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from conversations.models import Classification, Conversation, Label, Message, ReceivedReply
from conversations.services.events import publish_conversation_event
from core.problems import Refusal
from outbox import hints
from outbox.models import Job
from understanding.intent import CERTAIN, Verdict, Written, classify
from understanding.intent import Label as Meaning
from understanding.return_dates import returns_on
from webhooks.event_types import EventType

WHY_MAX = 200  # characters


def judge(message: Message, *, subject: str = "", is_automatic: bool = False) -> Verdict:
    """Classify an inbound message and set its label. The message is not saved."""
    verdict = classify(Written(text=message.content, subject=subject, is_automatic=is_automatic))
    message.label = verdict.label.value
    return verdict


def record_reply(conversation: Conversation, message: Message, verdict: Verdict) -> ReceivedReply:
    """Record a reply and publish `reply.received`. The message is saved; the conversation's row is locked."""
    reply = keep_reply(conversation, message, verdict)
    Conversation.objects.filter(pk=conversation.pk).update(label=reply.label)
    publish_conversation_event(EventType.REPLY_RECEIVED, conversation, message)
    if settings.LEADWIRE_MODEL_URL and verdict.confidence < CERTAIN:
        Job.objects.create(organization_id=reply.organization_id, category="ask-model", subject_id=reply.pk)
        transaction.on_commit(lambda: hints.send(hints.JOBS))
    return reply


def keep_reply(conversation: Conversation, message: Message, verdict: Verdict) -> ReceivedReply:
    """Store a reply and its first classification."""
    reply = ReceivedReply.objects.create(
        organization_id=message.organization_id,
        source_id=message.source_id,
        lead_id=message.lead_id,
        conversation=conversation,
        message=message,
        label=verdict.label.value,
        received_at=message.created_at,
    )
    Classification.objects.create(
        reply=reply,
        label=verdict.label.value,
        confidence=verdict.confidence,
        by=verdict.by,
        why=verdict.why[:WHY_MAX],
        returns_on=_return(message, verdict),
    )
    return reply


def record_bounce(conversation: Conversation, message: Message) -> None:
    """Record a bounce as a reply: the mail server answered in the lead's place."""
    message.label = Label.BOUNCE
    message.save(update_fields=["label"])
    why = Verdict(Meaning.BOUNCE, 1, Classification.By.STRUCTURE, "a report of a mail server")
    record_reply(conversation, message, why)


def _return(message: Message, verdict: Verdict) -> date | None:
    if verdict.label != Meaning.OUT_OF_OFFICE:
        return None
    return returns_on(message.content, timezone.localdate(message.created_at))


@transaction.atomic
def correct(*, reply: ReceivedReply, label: Label, actor: Actor) -> ReceivedReply:
    """Correct a classification. A person's correction wins over rules and models, and the newest one counts.

    Raise Refusal `reply.isBounce` for a bounce: a mail server reported it, so there is nothing to correct.
    """
    reply = _locked(reply)
    if Label.BOUNCE in (reply.label, label):
        raise Refusal(409, "reply.isBounce", "A bounce cannot be reclassified: a mail server reported it.")
    Classification.objects.create(
        reply=reply,
        label=label,
        confidence=1,
        by=Classification.By.PERSON,
        made_by=actor.user,
        made_by_name=actor.name[:250],
    )
    return _set_label(reply, label)


@transaction.atomic
def by_model(*, reply: ReceivedReply, label: Label, confidence: float, why: str) -> None:
    """Store a model's classification. It overrides a rule, never a person."""
    reply = _locked(reply)
    if reply.classifications.filter(by=Classification.By.PERSON).exists():
        return
    by = Classification.By.MODEL
    Classification.objects.create(reply=reply, label=label, confidence=confidence, by=by, why=why[:WHY_MAX])
    _set_label(reply, label)


def _locked(reply: ReceivedReply) -> ReceivedReply:
    """Lock the conversation, then the reply: everybody locks in this order."""
    Conversation.objects.select_for_update(no_key=True).only("pk").get(pk=reply.conversation_id)
    rows = ReceivedReply.objects.select_for_update(of=("self",)).select_related("message", "conversation")
    return rows.get(pk=reply.pk)


def _set_label(reply: ReceivedReply, label: Label) -> ReceivedReply:
    """Store the label on the reply, its message and the conversation, and publish `reply.classified`."""
    if label == reply.label:
        return reply
    reply.label = reply.message.label = label
    reply.save(update_fields=["label"])
    reply.message.save(update_fields=["label"])
    conversation = Conversation.objects.select_related("source").get(pk=reply.conversation_id)
    newest = ReceivedReply.objects.filter(conversation=conversation).order_by("-id").first()
    if newest and newest.pk == reply.pk:
        Conversation.objects.filter(pk=conversation.pk).update(label=label)
    publish_conversation_event(EventType.REPLY_CLASSIFIED, conversation, reply.message)
    return reply
