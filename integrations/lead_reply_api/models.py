"""The Lead Reply API card and its keys."""

from __future__ import annotations

from django.db import models

from api.models import HashedKey
from core.overlaps import EndingQuerySet
from integrations.models import Card, CardQuerySet


class LeadReplyApi(Card):
    """Lets the business's own system answer leads."""

    slug, label, credentials = "lead-reply-api", "Lead Reply API", "keys"

    objects = CardQuerySet["LeadReplyApi"].as_manager()

    class Meta:
        verbose_name = "Lead Reply API"
        verbose_name_plural = "Lead Reply APIs"

    @property
    def has_credential(self) -> bool:
        return any(key.ends_at is None for key in self.keys.all())


class ReplyKey(HashedKey):
    """The secret key of a Lead Reply API card. `ends_at` is set while a newer one overlaps it."""

    EXPIRES = "ends_at < now()"

    CALLER = "source_key"  # what a caller with one is called in the API and in its log

    card = models.ForeignKey(LeadReplyApi, on_delete=models.CASCADE, related_name="keys")
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = EndingQuerySet["ReplyKey"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["card"], condition=models.Q(ends_at=None), name="reply_key_one_current"),
            models.UniqueConstraint(
                fields=["card"], condition=models.Q(ends_at__isnull=False), name="reply_key_one_overlapping"
            ),
        ]
