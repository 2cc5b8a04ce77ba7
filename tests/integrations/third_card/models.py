"""The card, and its one key."""

from __future__ import annotations

from django.db import models

from integrations.models import Card, CardQuerySet


class Calendar(Card):
    """Lets the business's calendar offer appointments."""

    slug, label, credentials = "calendar", "Calendar", "keys"

    objects = CardQuerySet["Calendar"].as_manager()

    class Meta:
        app_label = "third_card"

    @property
    def has_credential(self) -> bool:
        return self.keys.exists()


class CalendarKey(models.Model):
    card = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="keys")
    text = models.CharField(max_length=40)

    class Meta:
        app_label = "third_card"
