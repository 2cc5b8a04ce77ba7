"""What people fill in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.utils import timezone

from accounts.models import Membership, Right, User
from core.dialling import url_error
from integrations.access import reach_of
from integrations.event_types import CHOOSABLE
from integrations.models import ApiToken, Source


def zone_choices() -> list[tuple[str, str]]:
    """Every time zone of the IANA list, as people read it."""
    return [(name, name.replace("_", " ")) for name in sorted(available_timezones())]


def _moment_input() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local", "class": "form-control"}, format="%Y-%m-%dT%H:%M")


class WebhookUrlForm(forms.Form):
    url = forms.CharField(
        label="Webhook URL",
        max_length=2000,
        widget=forms.URLInput(attrs={"class": "form-control", "placeholder": "https://crm.example.com/leadwire"}),
    )

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if error := url_error(url):
            raise forms.ValidationError(error)
        return url


class EventTypesForm(forms.Form):
    event_types = forms.MultipleChoiceField(
        label="Events", choices=[(one.value, one.value) for one in CHOOSABLE], widget=forms.CheckboxSelectMultiple
    )


class ReplayForm(forms.Form):
    """Which events of a webhook are sent again."""

    since = forms.DateTimeField(label="From", widget=_moment_input())
    until = forms.DateTimeField(label="Until", required=False, widget=_moment_input(), help_text="Leave empty for now.")
    event_types = forms.MultipleChoiceField(
        label="Only these events",
        required=False,
        choices=[(one.value, one.value) for one in CHOOSABLE],
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
            raise forms.ValidationError("The time ends before it begins.")
        return values


class VerifyForm(forms.Form):
    """The three headers of a signed webhook and its body, as a receiver got them."""

    id = forms.CharField(label="webhook-id", max_length=100)
    timestamp = forms.CharField(label="webhook-timestamp", max_length=20)
    signature = forms.CharField(label="webhook-signature", max_length=2000)
    body = forms.CharField(
        label="Body, byte for byte", strip=False, max_length=1_000_000, widget=forms.Textarea(attrs={"rows": 4})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A business, or a location of one."""

    parent = forms.ModelChoiceField(
        label="Kind",
        queryset=Source.objects.none(),
        required=False,
        empty_label="A business",
        help_text="A location belongs to a business and may inherit its integrations.",
    )
    time_zone = forms.ChoiceField(choices=zone_choices, help_text="The source's days begin and end in it.")
    form_origins = forms.CharField(
        label="Allowed websites",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "https://www.example.com"}),
        help_text="One per line. Leave empty to allow any.",
    )

    class Meta:
        model = Source
        fields = ["name", "external_id", "time_zone", "form_origins"]

    def __init__(self, *args: object, user: User, organization_id: UUID, **kwargs: object) -> None:
        self.organization_id = organization_id
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.order_fields(["name", "parent", "external_id", "time_zone", "form_origins"])
        if self.instance.pk and not self.instance._state.adding:
            del self.fields["parent"]
            self.initial["form_origins"] = "\n".join(self.instance.form_origins)
        else:
            businesses = Source.objects.businesses().live().visible_to(user, Right.CONFIGURE)
            self.fields["parent"].queryset = businesses  # type: ignore[attr-defined]
            self.fields["parent"].label_from_instance = lambda one: f"A location of {one.name}"  # type: ignore[attr-defined]
            if not reach_of(user, Right.CONFIGURE).organization_ids:
                self.fields["parent"].required = True
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-select" if isinstance(field.widget, forms.Select) else "form-control"

    def clean_external_id(self) -> str:
        external_id: str = self.cleaned_data["external_id"]
        others = Source.objects.filter(organization=self.organization_id, external_id=external_id)
        if external_id and others.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Another source of the organization has this external id.")
        return external_id

    def clean_form_origins(self) -> list[str]:
        origins = []
        for line in self.cleaned_data["form_origins"].split():
            try:
                parts = urlsplit(line)
            except ValueError:
                parts = urlsplit("")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise forms.ValidationError(f"“{line}” is not a website. Write it as https://www.example.com.")
            origins.append(f"{parts.scheme}://{parts.netloc}")
        return origins


class TokenForm(forms.Form):
    """A token of an application, or of the person; who may not configure makes only the second."""

    EXPIRIES = {"": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}
    KINDS = (
        (ApiToken.Kind.APP, "An app, limited to your sources"),
        (ApiToken.Kind.STAFF, "Yourself, with your own permissions"),
    )

    name = forms.CharField(
        max_length=100, help_text="What it is for.", widget=forms.TextInput(attrs={"class": "form-control"})
    )
    kind = forms.ChoiceField(
        label="Use this token as", choices=KINDS, widget=forms.RadioSelect, initial=ApiToken.Kind.APP
    )
    scopes = forms.MultipleChoiceField(
        choices=ApiToken.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[ApiToken.Scope.LEADS_WRITE],
    )
    expires = forms.ChoiceField(
        choices=EXPIRIES.items(), required=False, widget=forms.Select(attrs={"class": "form-select"})
    )

    def __init__(self, *args: Any, maker: Membership, **more: Any) -> None:
        super().__init__(*args, **more)
        if not maker.may(Right.CONFIGURE):
            kinds: Any = self.fields["kind"]
            kinds.choices, kinds.initial = self.KINDS[1:], ApiToken.Kind.STAFF
        scopes: Any = self.fields["scopes"]
        scopes.choices = [
            (value, label)
            for value, label in ApiToken.Scope.choices
            if maker.may(ApiToken.RIGHTS.get(ApiToken.Scope(value), Right.READ))
        ]
        if not maker.may(Right.ANSWER):
            scopes.initial = [ApiToken.Scope.LEADS_READ]

    def settings(self) -> dict[str, Any]:
        """What was filled in, in the words of the service."""
        days = self.cleaned_data["expires"]
        return {
            "name": self.cleaned_data["name"],
            "kind": ApiToken.Kind(self.cleaned_data["kind"]),
            "scopes": self.cleaned_data["scopes"],
            "expires_at": timezone.now() + timedelta(days=int(days)) if days else None,
        }
