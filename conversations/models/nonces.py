"""What counts once."""

from __future__ import annotations

from django.db import models


class UsedNonce(models.Model):
    """Nonces of forms and other things that count once; `expires_at` says when they may be forgotten."""

    EXPIRES = "expires_at < now()"

    digest = models.BinaryField(primary_key=True)
    outcome = models.JSONField(default=dict)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="once_used_oldest")]
