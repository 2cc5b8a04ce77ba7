"""Conversations: threads with one lead on one source."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import Organization, Source, User
from accounts.reach import ReachQuerySet
from conversations.models.labels import Label
from core.ids import decode, encode, uuid7
from leads.models import Lead, surviving_id
from messaging.models import ChannelConnection

REOPENS_WITHIN = timedelta(days=14)
TITLE_LENGTH = 300
TAG_LENGTH = 40
TAGS_MAX = 20  # of one conversation


def make_reply_token() -> str:
    """Return 128 random bits as lower-case hex: mail servers may change the case of a local part."""
    return secrets.token_hex(16)


class ConversationQuerySet(ReachQuerySet["Conversation"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def closed(self) -> Self:
        return self.exclude(closed_at=None)

    def newest_first(self) -> Self:
        return self.order_by("-last_message_at", "-id")

    def awake(self) -> Self:
        """Open ones that nobody has put off until later."""
        return self.open().filter(models.Q(snoozed_until=None) | models.Q(snoozed_until__lte=Now()))

    def snoozed(self) -> Self:
        return self.open().filter(snoozed_until__gt=Now())

    def waiting(self) -> Self:
        """Those in which the lead spoke last, or whose snooze ended; not those that are put off until later."""
        return self.awake().exclude(waiting_since=None)

    def tagged(self, name: str) -> Self:
        """Those with a tag. PostgreSQL takes the index of tags only where none without tags is asked for."""
        return self.filter(tags__contains=[name]).exclude(tags=[])

    def locked(self, conversation_id: UUID) -> Conversation:
        """Return one with its row locked, and its source, which events name."""
        return self.select_for_update(no_key=True, of=("self",)).select_related("source").get(pk=conversation_id)

    def searched(self, words: str, organization_id: UUID) -> Self:
        """Those of leads whose name, email or phone has the words in it; one by its own public id or its lead's."""
        if own := decode("conv", words):
            return self.filter(pk=own)
        if lead_id := decode("lead", words):
            return self.filter(lead=surviving_id(lead_id))
        leads = Lead.objects.filter(organization=organization_id).containing(words)
        return self.filter(lead__in=leads.values("pk"))


class Conversation(models.Model):
    """A thread with one lead on one source: open or closed."""

    class Holder(models.TextChoices):
        EXTERNAL = "external", "Programs and automation"
        TEAM = "team", "The team"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The keys are composite in the database, with the organization: see the SQL migration.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    lead = models.ForeignKey(
        Lead, on_delete=models.PROTECT, related_name="conversations", db_constraint=False, db_index=False
    )
    title = models.CharField(max_length=TITLE_LENGTH)
    reply_token = models.CharField(max_length=32, unique=True, default=make_reply_token, editable=False)
    sequence = models.BigIntegerField(default=0)  # the number of its newest event
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    assignee = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    unread_at = models.DateTimeField(null=True, blank=True)  # an inbound message nobody has looked at
    waiting_since = models.DateTimeField(null=True, blank=True)  # the oldest unanswered inbound message
    last_news_at = models.DateTimeField(null=True, blank=True)  # the lead wrote, or a snooze ended
    snoozed_until = models.DateTimeField(null=True, blank=True)  # or until the lead writes
    # Who answers: while the team holds it, programs and automation are refused.
    handled_by = models.CharField(
        max_length=10, choices=Holder.choices, default=Holder.EXTERNAL, db_default=Holder.EXTERNAL
    )
    tags = ArrayField(models.CharField(max_length=TAG_LENGTH), default=list, db_default=[], blank=True)
    unanswered_at = models.DateTimeField(null=True, blank=True)  # when the alarm went off; of an earlier wait if older
    answered_at = models.DateTimeField(null=True, blank=True)  # when the lead first got a message in it
    label = models.CharField(
        max_length=16, choices=Label.choices, blank=True, db_default="", default=""
    )  # of the lead's newest reply
    connection = models.ForeignKey(  # of its last message
        ChannelConnection, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    lead_connection = models.ForeignKey(  # of the lead's own last message: answers go there if they can
        ChannelConnection, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_message_at = models.DateTimeField(default=timezone.now)
    last_message_id = models.UUIDField(null=True)
    last_words = models.CharField(max_length=160, blank=True)
    last_direction = models.CharField(max_length=10, blank=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-last_message_at", "-id"], name="conversation_newest"),
            models.Index(fields=["source", "-last_message_at", "-id"], name="conversation_newest_of_source"),
            models.Index(
                fields=["organization", "-last_message_at", "-id"],
                condition=models.Q(closed_at=None),
                name="conversation_newest_open",
            ),
            models.Index(
                fields=["organization", "waiting_since", "id"],
                condition=models.Q(closed_at=None, waiting_since__isnull=False),
                name="conversation_waiting",
            ),
            models.Index(fields=["lead", "-last_message_at", "-id"], name="conversation_of_lead"),
            models.Index(
                fields=["organization", "-last_message_at", "-id"],
                condition=models.Q(closed_at=None, snoozed_until__isnull=False),
                name="conversation_snoozed",
            ),
            models.Index(
                fields=["source", "waiting_since"],
                condition=models.Q(closed_at=None, waiting_since__isnull=False),
                name="conversation_waiting_of_source",
            ),
            models.Index(
                fields=["organization", "-last_message_at", "-id"],
                condition=models.Q(handled_by="team"),
                name="conversation_of_team",
            ),
            GinIndex(fields=["tags"], condition=~models.Q(tags=[]), name="conversation_tags"),
            models.Index(
                fields=["organization", "label", "-last_message_at", "-id"],
                condition=~models.Q(label=""),
                name="conversation_of_label",
            ),
            models.Index(
                fields=["assignee", "-last_message_at", "-id"],
                condition=models.Q(assignee__isnull=False),
                name="conversation_of_assignee",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Its page, which the inbox has: a higher app, which cannot be named here."""
        return f"/inbox/{self.public_id}/"

    @property
    def public_id(self) -> str:
        return encode("conv", self.pk)

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_snoozed(self) -> bool:
        return self.is_open and self.snoozed_until is not None and self.snoozed_until > timezone.now()

    @property
    def is_overdue(self) -> bool:
        """True when the lead still waits after the alarm of its source's rule."""
        return bool(self.waiting_since and self.unanswered_at and self.unanswered_at >= self.waiting_since)

    @property
    def is_held_by_team(self) -> bool:
        return self.handled_by == self.Holder.TEAM

    @property
    def is_unread(self) -> bool:
        return self.unread_at is not None

    @property
    def may_reopen(self) -> bool:
        """True when a message of the lead reopens this conversation instead of starting another."""
        return self.closed_at is None or timezone.now() - self.closed_at < REOPENS_WITHIN
