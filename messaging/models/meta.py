"""Accounts at Meta's Cloud API."""

from __future__ import annotations

from django.db import models

from core.secrets import OptionalSecretField
from messaging.models.connections import ChannelConnection


class MetaAccount(models.Model):
    """What a connection by Meta needs to know. Its columns are the provider's settings."""

    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="meta"
    )
    phone_number_id = models.CharField(max_length=200, blank=True, db_index=True)
    business_account_id = models.CharField(max_length=200, blank=True)
    access_token = OptionalSecretField(null=True, editable=False)
    app_secret = OptionalSecretField(null=True, editable=False)

    def __str__(self) -> str:
        return self.phone_number_id
