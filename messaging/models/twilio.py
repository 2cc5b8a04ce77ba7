"""Accounts at Twilio."""

from __future__ import annotations

from django.db import models

from core.secrets import OptionalSecretField
from messaging.models.connections import ChannelConnection


class TwilioAccount(models.Model):
    """What a connection by Twilio needs to know. Its columns are the provider's settings."""

    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="twilio"
    )
    account_sid = models.CharField(max_length=200, blank=True)
    auth_token = OptionalSecretField(null=True, editable=False)
    messaging_service_sid = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.account_sid
