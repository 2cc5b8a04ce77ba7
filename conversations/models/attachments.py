"""Files that came with a message, or go out with one."""

from __future__ import annotations

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.models import Organization, Source
from accounts.reach import ReachQuerySet
from conversations.models.messages import Message
from core.ids import encode, uuid7

NAME_LENGTH = 200


UPLOADS = "uploads/"  # in a bucket: what callers put there by a link, until a message takes it


def make_key(source: Source, folder: str = "") -> str:
    """Return a place in the store that nobody can guess: `<organization>/<source>/<128 random bits>`."""
    return f"{encode('org', source.organization_id)}/{source.public_id}/{folder}{secrets.token_hex(16)}"


class AttachmentQuerySet(ReachQuerySet["Attachment"]):
    def uploads(self) -> Self:
        """Files that callers announced and that no message has."""
        return self.filter(message=None)

    def to_prepare(self) -> Self:
        return self.filter(state=Attachment.State.WAITING)


class Attachment(models.Model):
    """A file of a message, or one that a caller uploads for a message to come."""

    class State(models.TextChoices):
        ANNOUNCED = "announced", "Not uploaded yet"
        WAITING = "waiting", "Being checked"
        READY = "ready", "Ready"
        INFECTED = "infected", "A virus was found in it"
        FAILED = "failed", "Could not be kept"
        ERASED = "erased", "Erased"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+", db_index=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_index=False)
    message = models.ForeignKey(Message, on_delete=models.PROTECT, null=True, related_name="attachments")
    name = models.CharField(max_length=NAME_LENGTH)
    content_type = models.CharField(max_length=100)  # as its bytes say; until they are here, as its sender says
    size = models.PositiveBigIntegerField()  # bytes; 0 while nobody knows
    key = models.CharField(max_length=200, unique=True)  # where it is in the store
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    detail = models.CharField(max_length=300, blank=True)  # why it cannot be opened
    has_preview = models.BooleanField(default=False)
    # Where the bytes come from: a part of the mail behind the message, or the provider's id or address of the file.
    part = models.PositiveSmallIntegerField(null=True)
    media_id = models.CharField(max_length=2000, blank=True)
    copy_of = models.CharField(max_length=1024, blank=True)  # an object that the business put into the bucket itself
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(message=None), name="attachment_upload"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return encode("file", self.pk)

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.READY

    @property
    def can_be_had(self) -> bool:
        """True when it can be downloaded, now or in a while."""
        return self.state in (self.State.WAITING, self.State.READY)

    @property
    def preview_key(self) -> str:
        return f"{self.key}.preview"

    @property
    def api_url(self) -> str:
        """Where callers of the API get it."""
        return f"{settings.BASE_URL}/v1/attachments/{self.public_id}/download"
