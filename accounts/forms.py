"""The forms of members and of a person's own account."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms

from accounts.models import Membership, Source
from accounts.rights import Role
from core.phones import normalize_phone


def zone_choices() -> list[tuple[str, str]]:
    """Every time zone of the IANA list, as people read it."""
    return [(name, name.replace("_", " ")) for name in sorted(available_timezones())]


class MemberForm(forms.Form):
    """A member's role, and the sources they are limited to."""

    name = forms.CharField(max_length=200, required=False)
    email = forms.EmailField()
    role = forms.ChoiceField(choices=Role.choices, initial=Role.AGENT)
    sources = forms.ModelMultipleChoiceField(
        queryset=Source.objects.none(),
        required=False,
        help_text="None: all sources. A business includes its locations.",
    )

    def __init__(self, *args: Any, membership: Membership, changes: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sources: Any = self.fields["sources"]
        sources.queryset = Source.objects.filter(organization=membership.organization)
        if changes:
            del self.fields["name"], self.fields["email"]


class TextsForm(forms.Form):
    """A person's phone number, and whether they want SMS about new leads."""

    phone = forms.CharField(
        label="Phone number",
        max_length=30,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "tel"}),
        help_text="With its country code. Only Leadwire sees it.",
    )
    texts = forms.BooleanField(label="Send me an SMS about new leads, where a source is set up for it", required=False)

    def clean_phone(self) -> str:
        text: str = self.cleaned_data["phone"]
        number = normalize_phone(text)
        if text and not number:
            raise forms.ValidationError("This is not a phone number. Write it with its country code.")
        return number

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("texts") and not values.get("phone") and "phone" not in self.errors:
            self.add_error("phone", "Give a number for the messages.")
        return values


class ZoneForm(forms.Form):
    """The zone in which a person reads times."""

    time_zone = forms.ChoiceField(
        label="Time zone",
        choices=zone_choices,
    )
