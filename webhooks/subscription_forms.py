"""What people fill in for a webhook of the organization."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django import forms

from accounts.models import Membership, Source
from core.secrets import MASK
from core.ssrf_guard import same_server, url_error
from webhooks.client_certificates import certificate_error
from webhooks.custom_headers import header_errors
from webhooks.event_types import DEFAULT_TYPES, SUBSCRIBABLE
from webhooks.models import Subscription

MORE = ("headers", "basic_username", "basic_password", "client_certificate", "client_key")
PLACEHOLDER = "https://crm.example.com/leadwire"


class SubscriptionForm(forms.Form):
    """All of a webhook's settings. What is secret is shown masked; left so, it stays."""

    name = forms.CharField(max_length=100, help_text="What it is for.")
    url = forms.CharField(label="URL", max_length=2000, widget=forms.URLInput(attrs={"placeholder": PLACEHOLDER}))
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[(event_type.value, f"{event_type.value}: {event_type.label}") for event_type in SUBSCRIBABLE],
        widget=forms.CheckboxSelectMultiple,
        initial=DEFAULT_TYPES,
    )
    source_ids = forms.ModelMultipleChoiceField(
        label="Sources",
        queryset=Source.objects.none(),
        required=False,
        help_text="Leave empty for all. A business includes its locations.",
    )
    is_ordered = forms.BooleanField(
        label="Deliver in order",
        required=False,
        initial=True,
        help_text="A failed event holds back later ones of the same conversation.",
    )
    includes_source_name = forms.BooleanField(label="Include source name", required=False, initial=True)
    signature = forms.ChoiceField(choices=Subscription.Signature.choices)
    headers = forms.CharField(
        label="Headers",
        required=False,
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "X-Api-Key: 12345"}),
        help_text="One per line. Values shown as dots stay as they are.",
    )
    basic_username = forms.CharField(label="User name (basic authentication)", required=False, max_length=200)
    basic_password = forms.CharField(
        label="Password",
        required=False,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Empty: stays as it is.",
    )
    client_certificate = forms.CharField(
        label="Client certificate (PEM)",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "-----BEGIN CERTIFICATE-----"}),
        help_text="If your server asks for one in the TLS handshake.",
    )
    client_key = forms.CharField(
        label="Its private key (PEM)",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Without a password. Kept encrypted, never shown. Empty: stays as it is.",
    )

    def __init__(self, *args: Any, creator: Membership, subscription: Subscription | None = None, **more: Any) -> None:
        self.subscription = subscription
        super().__init__(*args, **more)
        rows = Source.objects.filter(organization=creator.organization_id, archived_at=None)
        if creator.is_limited:
            rows = rows.filter(pk__in=creator.source_ids)
        sources: Any = self.fields["source_ids"]
        sources.queryset = rows.order_by("name")
        if subscription:
            del self.fields["signature"]
            self.initial = {**self.initial, **_as_filled_in(subscription)}

    def first_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name not in MORE]

    def more_fields(self) -> list[forms.BoundField]:
        """What few servers ask for."""
        return [field for field in self.visible_fields() if field.name in MORE]

    @property
    def asks_for_more(self) -> bool:
        return any(field.errors or field.value() for field in self.more_fields())

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if error := url_error(url):
            raise forms.ValidationError(error)
        return url

    def clean_source_ids(self) -> list[UUID]:
        return [source.pk for source in self.cleaned_data["source_ids"]]

    def clean_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in filter(None, map(str.strip, self.cleaned_data["headers"].splitlines())):
            name, colon, value = line.partition(":")
            if not colon:
                raise forms.ValidationError(f"“{line[:60]}” is not a header. Write it as Name: value.")
            if name.strip() in headers:
                raise forms.ValidationError(f"{name.strip()} is there twice.")
            headers[name.strip()] = value.strip()
        stored = self._kept_headers() if MASK in headers.values() else {}
        whole = {name: stored.get(name, value) if value == MASK else value for name, value in headers.items()}
        if errors := header_errors(whole):
            raise forms.ValidationError(list(errors.values()))
        return whole

    def _kept_headers(self) -> dict[str, str]:
        secret = self.subscription.headers if self.subscription else None
        stored: dict[str, str] = json.loads(secret.reveal()) if secret else {}
        return stored

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        username, password = values.get("basic_username"), values.get("basic_password")
        was = self.subscription
        if username and not password and not (was and was.basic_password and was.basic_username == username):
            self.add_error("basic_password", "Give the password too.")
        if password and not username:
            self.add_error("basic_username", "Give the user name too.")
        if username and any(name.lower() == "authorization" for name in values.get("headers") or {}):
            self.add_error("headers", "Authorization is set by the user name and password.")
        self._clean_certificate(values)
        self._clean_server(values)
        return values

    def _clean_server(self, values: dict[str, Any]) -> None:
        """What stands here as dots was given to one server, and goes to no other."""
        was, url = self.subscription, values.get("url")
        if was is None or not url or same_server(was.url, url):
            return
        detail = "This is another server. Type it again, or leave it out."
        if MASK in self.data.get("headers", ""):
            self.add_error("headers", detail)
        if values.get("basic_username") and not values.get("basic_password"):
            self.add_error("basic_password", detail)
        if values.get("client_certificate") and not values.get("client_key"):
            self.add_error("client_key", detail)

    def _clean_certificate(self, values: dict[str, Any]) -> None:
        certificate, key = values.get("client_certificate"), values.get("client_key")
        was = self.subscription
        if certificate and not key and not (was and was.client_key and _same(was.client_certificate, certificate)):
            self.add_error("client_key", "Give the private key too.")
        elif key and not certificate:
            self.add_error("client_certificate", "Give the certificate too.")
        elif certificate and key and (error := certificate_error(certificate, key)):
            self.add_error("client_certificate", error)

    def settings(self) -> dict[str, Any]:
        """What was filled in, in the words of the service; what is to stay is left out."""
        values = dict(self.cleaned_data)
        username, password = values.pop("basic_username"), values.pop("basic_password")
        certificate, key = values.pop("client_certificate"), values.pop("client_key")
        if password or not username:
            values["basic_auth"] = (username, password) if username else None
        if key or not certificate:
            values["client_certificate"] = (certificate, key) if certificate else None
        return values


def _same(first: str, other: str) -> bool:
    return first.split() == other.split()


def _as_filled_in(subscription: Subscription) -> dict[str, Any]:
    names = ("name", "url", "event_types", "source_ids", "is_ordered", "includes_source_name", "basic_username")
    shown = {name: getattr(subscription, name) for name in (*names, "client_certificate")}
    return {**shown, "headers": "\n".join(f"{name}: {MASK}" for name in subscription.header_names)}
