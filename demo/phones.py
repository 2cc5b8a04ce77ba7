"""The numbers of the demo: an SMS number and a WhatsApp number at the demo's own phone network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from accounts.actors import Actor
from accounts.models import Source
from messaging.accounts import account_of
from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS
from messaging.services import connect

SMS_NUMBER, WHATSAPP_NUMBER = "+15005550006", "+15550783881"
PHONE = "+14155550199"  # of the person at /demo/phone/
SECRETS = {"sms": "auth_token", "whatsapp": "app_secret"}
_SMS = {"account_sid": "AC" + "0" * 32, "auth_token": "demo-auth-token"}
_WHATSAPP = {
    "phone_number_id": "106540352242922", "business_account_id": "102290129340398", "access_token": "demo-access-token",
    "app_secret": "demo-app-secret",
}  # fmt: skip


def connect_numbers(business: Source, actor: Actor) -> None:
    """Connect both numbers to a business, so that its locations inherit them."""
    for provider, name, number, settings in (
        ("twilio", "Main line", SMS_NUMBER, _SMS),
        ("meta", "WhatsApp of the office", WHATSAPP_NUMBER, _WHATSAPP),
    ):
        connect(
            source=business, actor=actor, provider=PROVIDERS[provider], name=name, own_address=number, settings=settings
        )


def write_numbers(folder: Path) -> None:
    """Tell the demo's phone network of the numbers, where it calls, and with which secrets it signs."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {}
    for connection in ChannelConnection.objects.active().filter(own_address__in=[SMS_NUMBER, WHATSAPP_NUMBER]):
        account = account_of(connection)
        numbers[connection.kind] = {
            "number": connection.own_address,
            "callback_url": connection.callback_url,
            "secret": account.settings[SECRETS[connection.kind]],
            "id": account.settings.get("phone_number_id", ""),
        }
    path = folder / "numbers.json"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(numbers, file)
