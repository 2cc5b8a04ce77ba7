"""Letters to the team about leads."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts import letters
from accounts.models import Letter
from conversations.models import Conversation, Message
from conversations.services.team import team_of
from outbox import hints
from outbox.models import Job


def notify_team(conversation: Conversation) -> None:
    """Tell those who answer this source's leads by mail, as a job of this transaction."""
    Job.objects.create(organization_id=conversation.organization_id, category="notify-team", subject_id=conversation.pk)
    transaction.on_commit(lambda: hints.send(hints.JOBS))


def write_to_team(conversation_id: UUID) -> None:
    """Post the letters of one notification."""
    conversation = Conversation.objects.select_related("source").get(pk=conversation_id)
    letters.post(
        "new-lead",
        about=conversation.pk,
        to=team_of(conversation),
        organization_id=conversation.organization_id,
    )


def write_of_lead(letter: Letter) -> letters.LetterText | None:
    """Say who reached out and what they said."""
    rows = Conversation.objects.select_related("lead", "source").filter(lead__erased_at=None)
    conversation = rows.filter(pk=letter.about_id).first()
    if conversation is None:
        return None
    first = Message.objects.filter(conversation=conversation, kind=Message.Kind.MESSAGE).order_by("id").first()
    path = conversation.get_absolute_url()
    return letters.written(
        f"New lead at {conversation.source.name}: {conversation.lead.name}",
        "mail/new_lead.txt",
        conversation=conversation,
        lead=conversation.lead,
        message=first,
        url=f"{settings.BASE_URL}{path}",
    )
