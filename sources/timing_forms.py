"""The forms of a source's timing: opening hours, and what happens when nobody answers."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms

from conversations.models import UnansweredRule
from conversations.models.timing import CLOSED_MAX
from conversations.opening_hours import DAYS, Span, countries, read_spans, write_spans


class SpansField(forms.CharField):
    """The hours of one day, as people write them."""

    def to_python(self, value: Any) -> list[Span]:  # type: ignore[override]
        try:
            return read_spans(super().to_python(value) or "")
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def validate(self, value: Any) -> None:
        """A day may have none."""

    def run_validators(self, value: Any) -> None:
        """`read_spans` has checked it."""


class HoursForm(forms.Form):
    """Weekly hours, holidays, and days of its own."""

    country = forms.ChoiceField(label="Closed on the holidays of", required=False)
    closed_on = forms.CharField(
        label="Closed on",
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "2026-12-24"}),
        help_text="One day per line, as year-month-day.",
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for number, name in enumerate(DAYS):
            self.fields[f"day_{number}"] = SpansField(label=name, required=False, max_length=100)
        self.fields["country"].choices = [("", "No country"), *countries().items()]  # type: ignore[attr-defined]
        self.order_fields([*(f"day_{number}" for number in range(7)), "country", "closed_on"])

    def days(self) -> list[forms.BoundField]:
        """The fields of the week."""
        return [self[f"day_{number}"] for number in range(7)]

    def clean_closed_on(self) -> list[date]:
        days = []
        for line in self.cleaned_data["closed_on"].split():
            try:
                days.append(date.fromisoformat(line))
            except ValueError:
                raise forms.ValidationError(f"Write “{line[:40]}” as 2026-12-24.") from None
        if len(days) > CLOSED_MAX:
            raise forms.ValidationError(f"At most {CLOSED_MAX} days.")
        return sorted(set(days))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not any(data[f"day_{number}"] for number in range(7)):
            raise forms.ValidationError("Give at least one day its hours, or let the source always be open.")
        return data

    @property
    def week(self) -> list[list[Span]]:
        """The hours, Monday first. The form is valid."""
        return [self.cleaned_data[f"day_{number}"] for number in range(7)]


def initial_of(week: list[list[Span]], country: str, closed_on: list[date]) -> dict[str, str]:
    """Return what the form shows of hours that there are."""
    days = {f"day_{number}": write_spans(spans) for number, spans in enumerate(week)}
    return {**days, "country": country, "closed_on": "\n".join(day.isoformat() for day in closed_on)}


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """What happens when nobody answers."""

    class Meta:
        model = UnansweredRule
        fields = ["is_on", "after_minutes", "in_opening_hours", "tells_team", "hands_over", "text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}
