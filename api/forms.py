"""The form of an API token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import Membership
from accounts.rights import Right
from api.models import ApiToken


def moment_input() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class TokenForm(forms.Form):
    """A token for an application or for the person. Without the right to configure, only the second can be created."""

    EXPIRIES = {"": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}
    KINDS = (
        (ApiToken.Kind.APP, "An app, limited to your sources"),
        (ApiToken.Kind.STAFF, "Yourself, with your own permissions"),
    )

    name = forms.CharField(max_length=100, help_text="What it is for.")
    kind = forms.ChoiceField(
        label="Use this token as", choices=KINDS, widget=forms.RadioSelect, initial=ApiToken.Kind.APP
    )
    scopes = forms.MultipleChoiceField(
        choices=ApiToken.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[ApiToken.Scope.LEADS_WRITE],
    )
    expires = forms.ChoiceField(choices=EXPIRIES.items(), required=False)

    def __init__(self, *args: Any, creator: Membership, **more: Any) -> None:
        super().__init__(*args, **more)
        if not creator.may(Right.CONFIGURE):
            kinds: Any = self.fields["kind"]
            kinds.choices, kinds.initial = self.KINDS[1:], ApiToken.Kind.STAFF
        scopes: Any = self.fields["scopes"]
        scopes.choices = [
            (value, label)
            for value, label in ApiToken.Scope.choices
            if creator.may(ApiToken.RIGHTS.get(ApiToken.Scope(value), Right.READ))
        ]
        if not creator.may(Right.ANSWER):
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
