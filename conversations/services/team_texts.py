"""Tell the team of a new lead by SMS: those who gave their number and chose it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Source
from conversations.models import Conversation, TeamText
from conversations.services.team import team_of
from messaging.accounts import account_of
from messaging.base import Outgoing
from messaging.failures import NotSent
from messaging.models import ChannelConnection
from messaging.models.connections import usable_by
from messaging.registry import PROVIDERS
from outbox import hints
from outbox.models import Job

NAME_SHOWN = 40  # characters of names: with the link it is to be one SMS


def sms_of(source: Source) -> ChannelConnection | None:
    """The connection by which a source sends SMS; None where it has none that works."""
    usable = usable_by(source.pk).filter(kind="sms", connection__disconnected_at=None).first()
    return usable.connection if usable else None


def text_team(conversation: Conversation) -> None:
    """Tell those who answer this source's leads by SMS, as a job of this transaction."""
    Job.objects.create(organization_id=conversation.organization_id, category="text-team", subject_id=conversation.pk)
    transaction.on_commit(lambda: hints.send(hints.JOBS))


@transaction.atomic
def prepare(conversation_id: UUID) -> None:
    """Make a text, and its job, for each person who wants one. Done twice, it makes none twice."""
    conversation = Conversation.objects.select_related("source").get(pk=conversation_id)
    connection = sms_of(conversation.source)
    if connection is None:
        return
    for person in team_of(conversation):
        if not (person.phone and person.texts_at):
            continue
        text, is_new = TeamText.objects.get_or_create(
            conversation=conversation, user=person, defaults={"connection": connection}
        )
        if is_new:
            Job.objects.create(organization_id=conversation.organization_id, category="send-text", subject_id=text.pk)


def send(text_id: UUID) -> None:
    """Send one. What the provider could not take yet is tried again by the job; what may have been sent is not."""
    rows = TeamText.objects.select_related("conversation__lead", "conversation__source", "user", "connection")
    text = rows.filter(pk=text_id, sent_at=None, error="", conversation__lead__erased_at=None).first()
    if text is None or not text.connection.is_connected:
        return
    if text.dialled_at:
        TeamText.objects.filter(pk=text.pk).update(error="An attempt ended before its outcome was known.")
        return
    TeamText.objects.filter(pk=text.pk).update(dialled_at=timezone.now())
    try:
        account = account_of(text.connection)
        message = Outgoing(reference=str(text.pk), to=text.user.phone, text=_words(text.conversation))
        PROVIDERS[text.connection.provider].send(account, message)
    except NotSent as failure:
        if not failure.is_permanent:
            TeamText.objects.filter(pk=text.pk).update(dialled_at=None)
            raise
        TeamText.objects.filter(pk=text.pk).update(error=failure.detail[:500])
    else:
        TeamText.objects.filter(pk=text.pk).update(sent_at=timezone.now())


def _words(conversation: Conversation) -> str:
    name, source = conversation.lead.name[:NAME_SHOWN], conversation.source.name[:NAME_SHOWN]
    path = conversation.get_absolute_url()
    return f"New lead at {source}: {name} {settings.BASE_URL}{path}"
