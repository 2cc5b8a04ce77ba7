"""When a source is open, and what happens to leads whom nobody answers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models import Source
from conversations.opening_hours import Hours

CLOSED_MAX = 100  # days
TEXT_LENGTH = 1_000  # characters
AFTER_MAX = 7 * 24 * 60  # minutes


class OpeningHours(models.Model):
    """The weekly hours of a source. A location without its own has those of its business; without any it is open."""

    source = models.OneToOneField(Source, primary_key=True, on_delete=models.CASCADE, related_name="opening_hours")
    week = models.JSONField()  # seven lists, Monday first, of [from, to] in minutes since midnight
    country = models.CharField("holidays of", max_length=2, blank=True)
    closed_on = ArrayField(models.DateField(), default=list, blank=True)

    def __str__(self) -> str:
        return f"of {self.source_id}"

    def hours(self, source: Source) -> Hours:
        """Return them in the zone of a source: its own, or a location's that has none of its own."""
        week = [[(start, end) for start, end in day] for day in self.week]
        return Hours(source.zone, week, self.country, frozenset(self.closed_on))


class UnansweredRule(models.Model):
    """What happens when neither the team nor a program answers. A location without one has that of its business."""

    source = models.OneToOneField(Source, primary_key=True, on_delete=models.CASCADE, related_name="unanswered_rule")
    is_on = models.BooleanField("watch for leads that nobody answers", default=False)
    on_since = models.DateTimeField(null=True, editable=False)  # whoever waited before is not alarmed
    after_minutes = models.PositiveIntegerField(
        "after this many minutes", default=30, validators=[MinValueValidator(1), MaxValueValidator(AFTER_MAX)]
    )
    in_opening_hours = models.BooleanField("count only minutes within the opening hours", default=True)
    tells_team = models.BooleanField("write a mail to whom it is assigned, or to all who may answer", default=True)
    hands_over = models.BooleanField("take the conversation over for the team", default=False)
    text = models.TextField(
        "send this text to the lead", max_length=TEXT_LENGTH, blank=True, help_text="Leave empty to send nothing."
    )

    def __str__(self) -> str:
        return f"of {self.source_id}"
