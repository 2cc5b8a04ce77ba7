"""The labels of replies."""

from __future__ import annotations

from django.db import models


class Label(models.TextChoices):
    """What a lead means."""

    INTERESTED = "interested", "Interested"
    NOT_INTERESTED = "not_interested", "Not interested"
    OUT_OF_OFFICE = "out_of_office", "Out of office"
    BOUNCE = "bounce", "Bounced"
    UNSUBSCRIBE = "unsubscribe", "Unsubscribe request"
    NONE = "none", "None of these"
