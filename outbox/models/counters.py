"""Counts for the operator's monitoring, added up by workers every few seconds. A kill may cost the last of them."""

from __future__ import annotations

from django.db import models


class Counter(models.Model):
    """How often something happened since the installation was made."""

    name = models.CharField(max_length=60, primary_key=True)  # attempts.delivered, attempts.retrying ...
    count = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
