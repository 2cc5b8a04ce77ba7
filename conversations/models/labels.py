"""What a lead means by an answer."""

from __future__ import annotations

from django.db import models


class Label(models.TextChoices):
    """What a lead means."""

    INTERESTED = "interested", "Interested"
    NOT_INTERESTED = "not_interested", "Not interested"
    OUT_OF_OFFICE = "out_of_office", "Out of office"
    BOUNCE = "bounce", "Came back"
    UNSUBSCRIBE = "unsubscribe", "Wants no more messages"
    NONE = "none", "None of these"
