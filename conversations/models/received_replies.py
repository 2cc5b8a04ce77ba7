"""Replies of leads, and how each was classified."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import Organization, Source, User
from accounts.reach import ReachQuerySet
from conversations.models.conversations import Conversation
from conversations.models.labels import Label
from conversations.models.messages import Message
from core.ids import encode, uuid7
from leads.models import Lead


class ReceivedReplyQuerySet(ReachQuerySet["ReceivedReply"]):
    pass


class ReceivedReply(models.Model):
    """A lead's message that follows one of ours, or one of our messages that bounced."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_index=False)
    lead = models.ForeignKey(Lead, on_delete=models.PROTECT, related_name="+")
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="+", db_index=False)
    message = models.OneToOneField(Message, on_delete=models.PROTECT, related_name="reply")
    label = models.CharField(max_length=16, choices=Label.choices)
    received_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ReceivedReplyQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="reply_newest"),
            models.Index(fields=["source", "-id"], name="reply_newest_of_source"),
            models.Index(fields=["organization", "label", "-id"], name="reply_newest_of_label"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return encode("rpl", self.pk)


class Classification(models.Model):
    """One classification of a reply, by a rule, a model or a person. The newest row counts."""

    class By(models.TextChoices):
        STRUCTURE = "structure", "Headers"
        RULE = "rule", "Rule"
        MODEL = "model", "Model"
        PERSON = "person", "Person"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reply = models.ForeignKey(ReceivedReply, on_delete=models.CASCADE, related_name="classifications")
    label = models.CharField(max_length=16, choices=Label.choices)
    confidence = models.FloatField()  # 0 to 1
    by = models.CharField(max_length=10, choices=By.choices)
    why = models.CharField(max_length=200, blank=True)  # the header or the words that counted
    returns_on = models.DateField(null=True)  # of somebody who is away, where they say it
    made_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    made_by_name = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.label
