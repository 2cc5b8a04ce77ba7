"""Mails as they came in."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from accounts.reach import ReachQuerySet
from core.ids import encode, uuid7
from messaging.models.connections import ChannelConnection


class InboundMailQuerySet(ReachQuerySet["InboundMail"]):
    organization_column, source_column = "connection__organization_id", "connection__source_id"

    def apart(self) -> Self:
        """Those that no conversation shows: programs wrote them, and about nothing that is here."""
        return self.filter(outcome=InboundMail.Outcome.AUTOMATIC, message_id=None)


class InboundMail(models.Model):
    """A mail as it came in, whole, before anybody made sense of it."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", "Not yet read"
        MESSAGE = "message", "Became a message"
        AUTOMATIC = "automatic", "A bounce or an automatic answer"
        REPEATED = "repeated", "Came before"
        UNREADABLE = "unreadable", "Not understood, shown as text"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(ChannelConnection, on_delete=models.PROTECT, related_name="+")
    envelope_from = models.CharField(max_length=320, blank=True)
    envelope_to = models.CharField(max_length=320)
    header_id = models.CharField(max_length=998, blank=True)  # Message-ID, else a digest of the mail
    sender = models.CharField(max_length=320, blank=True, db_default="", default="")  # normalized; once it is read
    subject = models.CharField(max_length=300, blank=True, db_default="", default="")
    raw = models.BinaryField()
    has_html = models.BooleanField(default=False, db_default=False)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.WAITING)
    # The message that it became, repeats, or tells of. A plain id: conversations stand above.
    message_id = models.UUIDField(null=True, db_index=True)
    received_at = models.DateTimeField(default=timezone.now)

    objects = InboundMailQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "-id"], name="mail_newest"),
            models.Index(fields=["connection"], condition=models.Q(outcome="waiting"), name="mail_waiting"),
            # Mails that no conversation shows.
            models.Index(
                fields=["connection", "-id"],
                condition=models.Q(outcome="automatic", message_id=None),
                name="mail_apart",
            ),
        ]

    def __str__(self) -> str:
        return self.header_id or str(self.pk)

    @property
    def public_id(self) -> str:
        return encode("mail", self.pk)
