"""Mails to the team."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import Membership, Right, User
from conversations.models import Conversation, Message
from integrations.access import reach_of
from integrations.models import Job
from integrations.outbox import hints


def notify_team(conversation: Conversation) -> None:
    """Tell those who answer this source's leads by mail, as a job of this transaction."""
    Job.objects.create(organization_id=conversation.organization_id, category="notify-team", subject_id=conversation.pk)
    transaction.on_commit(lambda: hints.send("job"))


def send_notification(conversation_id: UUID) -> None:
    """Send the mails of one notification."""
    conversation = Conversation.objects.select_related("lead", "source").get(pk=conversation_id)
    first = Message.objects.filter(conversation=conversation, kind=Message.Kind.MESSAGE).order_by("id").first()
    path = reverse("conversations:conversation", args=[conversation.pk])
    values = {
        "conversation": conversation,
        "lead": conversation.lead,
        "message": first,
        "url": f"{settings.BASE_URL}{path}",
    }
    subject = " ".join(f"New lead at {conversation.source.name}: {conversation.lead.name}".split())
    body = render_to_string("mail/new_lead.txt", values)
    mails = [EmailMessage(subject, body, to=[user.email]) for user in team_of(conversation)]
    if mails:
        get_connection().send_messages(mails)


def team_of(conversation: Conversation) -> list[User]:
    """The people who may answer this conversation."""
    rows = Membership.objects.current().filter(organization=conversation.organization_id, user__is_active=True)
    people = [membership.user for membership in rows.select_related("user")]
    return [user for user in people if reach_of(user, Right.ANSWER).includes(conversation.source)]
