"""What people fill in for a channel connection: the provider says which settings an account there has."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from django import forms

from accounts.models import Membership, Source
from messaging.accounts import ENTER_AGAIN, account_row, secrets_to_enter_again
from messaging.addresses import read_address
from messaging.base import Account, Limits, Provider, Setting
from messaging.limits import NAMES, chosen, limit_errors
from messaging.models import ChannelConnection
from messaging.registry import CHANNELS


class AddressField(forms.CharField):
    """A phone number or a mail address, in its one form. `kind`: "phone" or "email"."""

    def __init__(self, *, kind: str, **more: Any) -> None:
        self.kind = kind
        widget = forms.TextInput(attrs={"inputmode": "tel" if kind == "phone" else "email"})
        super().__init__(max_length=30 if kind == "phone" else 254, widget=widget, **more)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        try:
            return read_address(self.kind, text) if text else ""
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


EXAMPLES = {"phone": "With its country code, for example +1 415 555 0100.", "email": "Leads see it as the sender."}


class ConnectionForm(forms.Form):
    """A connection's name, address and account. A secret is never shown; left empty, it stays as it is."""

    name = forms.CharField(max_length=100, help_text="How your team calls it.")
    source = forms.ModelChoiceField(
        queryset=Source.objects.none(),
        empty_label=None,
        help_text="It uses the connection at once, and new leads arrive there. Its locations inherit the connection.",
    )

    def __init__(
        self,
        *args: Any,
        provider: Provider,
        member: Membership,
        connection: ChannelConnection | None = None,
        **more: Any,
    ) -> None:
        self.provider, self.connection = provider, connection
        super().__init__(*args, **more)
        if connection:
            del self.fields["source"]
        else:
            rows = Source.objects.filter(organization=member.organization_id, archived_at=None)
            sources: Any = self.fields["source"]
            sources.queryset = (rows.filter(pk__in=member.source_ids) if member.is_limited else rows).order_by("name")
        kind = CHANNELS[provider.channel].address
        if not provider.needs_consent:  # else its owner signs in, and so names it
            self.fields["own_address"] = AddressField(kind=kind, label=provider.address_label, help_text=EXAMPLES[kind])
        for setting in self._entered:
            self.fields[setting.name] = field_of(setting, is_new=connection is None or not connection.is_connected)
        if connection:
            self.initial = {**self.initial, **_as_filled_in(provider, connection)}
            for name, unit in NAMES.items():
                self.fields[name] = forms.FloatField(
                    label=f"Messages {unit} at most",
                    required=False,
                    help_text="Empty: as many as the provider takes.",
                )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if self.connection and not self.errors:
            for setting in secrets_to_enter_again(self.connection, self.settings()):
                self.add_error(setting.name, ENTER_AGAIN)
        if self.connection and not self.errors:
            address = values.get("own_address", self.connection.own_address)
            account = Account(address, {**self.settings(), **self.provider.fixed_settings()})
            for name, error in limit_errors(self.limits(), self.provider.limits(account)).items():
                self.add_error(name, error)
        return values

    @property
    def _entered(self) -> list[Setting]:
        return [setting for setting in self.provider.settings if not setting.is_granted]

    def limits(self) -> Limits:
        """The limits that were filled in: whole messages, but for those of a second."""
        values = {name: self.cleaned_data.get(name) for name in NAMES}
        whole = {name: value if value is None else int(value) for name, value in values.items() if name != "per_second"}
        return Limits(values["per_second"], **whole)

    def settings(self) -> dict[str, str]:
        """The account's settings, as they were filled in."""
        return {setting.name: self.cleaned_data[setting.name] for setting in self._entered}


def field_of(setting: Setting, *, is_new: bool) -> forms.CharField:
    """Return the field of one setting."""
    widget: forms.Widget = forms.TextInput(attrs={"autocomplete": "off", "placeholder": setting.example})
    if setting.is_secret:
        widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    help_text = setting.help_text if is_new or not setting.is_secret else "Empty: stays as it is."
    field = forms.CharField(
        label=setting.label,
        max_length=setting.max_length,
        required=setting.is_required and (is_new or not setting.is_secret),
        help_text=help_text,
        widget=widget,
    )
    field.validators.append(lambda text: _check(setting, text))
    return field


def _check(setting: Setting, text: str) -> None:
    if error := setting_error(setting, text):
        raise forms.ValidationError(error)


def setting_error(setting: Setting, text: str) -> str:
    """Say what is wrong with the text of a setting; "" when nothing is."""
    if text and setting.pattern and not re.fullmatch(setting.pattern, text):
        example = f" It looks like {setting.example}." if setting.example else ""
        return f"This is not the {setting.label}.{example}"
    return ""


def _as_filled_in(provider: Provider, connection: ChannelConnection) -> dict[str, Any]:
    row = account_row(connection)
    shown = {setting.name: getattr(row, setting.name) for setting in provider.settings if not setting.is_secret}
    return {"name": connection.name, "own_address": connection.own_address, **asdict(chosen(connection)), **shown}
