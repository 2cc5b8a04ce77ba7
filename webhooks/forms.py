"""The forms of webhooks, replays and the signature box."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from api.forms import moment_input
from core.ssrf_guard import url_error
from webhooks.event_types import CHOOSABLE


class WebhookUrlForm(forms.Form):
    url = forms.CharField(
        label="Webhook URL",
        max_length=2000,
        widget=forms.URLInput(attrs={"placeholder": "https://crm.example.com/leadwire"}),
    )

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if error := url_error(url):
            raise forms.ValidationError(error)
        return url


class EventTypesForm(forms.Form):
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[(event_type.value, event_type.value) for event_type in CHOOSABLE],
        widget=forms.CheckboxSelectMultiple,
    )


class ReplayForm(forms.Form):
    """Which events of a webhook are sent again."""

    since = forms.DateTimeField(label="From", widget=moment_input())
    until = forms.DateTimeField(label="Until", required=False, widget=moment_input(), help_text="Leave empty for now.")
    event_types = forms.MultipleChoiceField(
        label="Only these events",
        required=False,
        choices=[(event_type.value, event_type.value) for event_type in CHOOSABLE],
        widget=forms.CheckboxSelectMultiple,
        help_text="Leave empty for all.",
    )
    only_undelivered = forms.BooleanField(
        label="Only what never arrived",
        required=False,
        initial=True,
        help_text="Leave it on unless your system lost data.",
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        zone = f"Time zone: {timezone.get_current_timezone_name()}."
        self.fields["since"].help_text = zone
        self.fields["until"].help_text = f"Leave empty for now. {zone}"

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        since, until = values.get("since"), values.get("until")
        if since and until and until <= since:
            raise forms.ValidationError("The end must be after the start.")
        return values


class VerifyForm(forms.Form):
    """The three headers of a signed webhook and its body, as a receiver got them."""

    id = forms.CharField(label="webhook-id", max_length=100)
    timestamp = forms.CharField(label="webhook-timestamp", max_length=20)
    signature = forms.CharField(label="webhook-signature", max_length=2000)
    body = forms.CharField(
        label="Body, byte for byte", strip=False, max_length=1_000_000, widget=forms.Textarea(attrs={"rows": 4})
    )
