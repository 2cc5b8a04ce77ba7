"""Messages, and the raw mails that some of them came from."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import Organization, Source, User
from accounts.reach import ReachQuerySet
from conversations.models.conversations import Conversation
from conversations.models.labels import Label
from core.ids import encode, uuid7
from leads.models import Lead
from messaging.models import ChannelConnection


class MessageQuerySet(ReachQuerySet["Message"]):
    pass


class Message(models.Model):
    """One entry of a conversation."""

    class Direction(models.TextChoices):
        INBOUND = "inbound", "From the lead"
        OUTBOUND = "outbound", "To the lead"

    class Kind(models.TextChoices):
        MESSAGE = "message", "Message"
        NOTE = "note", "Note for the team"

    class Author(models.TextChoices):
        LEAD = "lead", "Lead"
        STAFF = "staff", "Team"
        API = "api", "API"
        AUTOMATION = "automation", "Automatic"

    class Status(models.TextChoices):
        RECEIVED = "received", "Received"
        QUEUED = "queued", "Sending…"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        DELIVERED = "delivered", "Delivered"
        READ = "read", "Read"
        FAILED = "failed", "Not sent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The keys are composite in the database, with the organization: see the SQL migration.
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.PROTECT, related_name="messages", db_constraint=False, db_index=False
    )
    connection = models.ForeignKey(
        ChannelConnection, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MESSAGE)
    direction = models.CharField(max_length=10, choices=Direction.choices)
    author = models.CharField(max_length=10, choices=Author.choices)
    author_name = models.CharField(max_length=250, blank=True)
    author_user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False, db_constraint=False
    )
    content = models.TextField()
    quoted_text = models.TextField(blank=True)  # quotes and signature of a mail, shown on demand
    status = models.CharField(max_length=10, choices=Status.choices)
    error_code = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=500, blank=True)
    retry_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    # The provider's id. Of inbound mail its Message-ID (RFC 5322, 2.1.1 bounds a line).
    external_id = models.CharField(max_length=998, blank=True)
    # What makes two inbound messages of one connection the same: the caller's id, of a mail a digest of what it says.
    repeat_key = models.CharField(max_length=998, blank=True, db_default="", default="")
    # What the lead means by it; "" where it is no reply. ReceivedReply says since when and why.
    label = models.CharField(max_length=16, choices=Label.choices, blank=True, db_default="", default="")
    is_unverified = models.BooleanField(default=False, db_default=False)  # somebody else may have written it
    attachment_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    is_automatic = models.BooleanField(default=False)  # a bounce or an automatic answer, not the lead's words
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    said_at = models.DateTimeField(null=True, blank=True)  # by the clock of a caller who reports it later
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "repeat_key"],
                condition=models.Q(direction="inbound") & ~models.Q(repeat_key=""),
                name="message_once",
            )
        ]
        indexes = [
            models.Index(fields=["conversation", "-id"], name="message_newest"),
            models.Index(fields=["source", "-id"], name="message_newest_of_source"),
            models.Index(
                fields=["connection", "external_id"],
                condition=~models.Q(external_id=""),
                name="message_by_its_own_id",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return encode("msg", self.pk)

    @property
    def is_note(self) -> bool:
        return self.kind == self.Kind.NOTE

    @property
    def is_inbound(self) -> bool:
        return self.direction == self.Direction.INBOUND

    @property
    def has_failed(self) -> bool:
        return self.status == self.Status.FAILED
