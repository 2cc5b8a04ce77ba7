"""Accounts at email service providers. Their columns are the providers' settings."""

from __future__ import annotations

from django.db import models

from core.secrets import OptionalSecretField
from messaging.models.connections import ChannelConnection


class EspAccount(models.Model):
    inbound_address = models.CharField(max_length=254, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.pk)


class PostmarkAccount(EspAccount):
    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="postmark"
    )
    server_token = OptionalSecretField(null=True, editable=False)
    webhook_password = OptionalSecretField(null=True, editable=False)
    message_stream = models.CharField(max_length=30, blank=True)


class MailgunAccount(EspAccount):
    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="mailgun"
    )
    api_key = OptionalSecretField(null=True, editable=False)
    signing_key = OptionalSecretField(null=True, editable=False)
    sending_domain = models.CharField(max_length=253, blank=True)
    region = models.CharField(max_length=2, blank=True)


class SendGridAccount(EspAccount):
    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="sendgrid"
    )
    api_key = OptionalSecretField(null=True, editable=False)
    webhook_password = OptionalSecretField(null=True, editable=False)
    verification_key = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=2, blank=True)


class SesAccount(EspAccount):
    connection = models.OneToOneField(ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="ses")
    access_key_id = models.CharField(max_length=128, blank=True)
    secret_access_key = OptionalSecretField(null=True, editable=False)
    region = models.CharField(max_length=30, blank=True)
    configuration_set = models.CharField(max_length=64, blank=True)
    webhook_password = OptionalSecretField(null=True, editable=False)
