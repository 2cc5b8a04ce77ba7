"""Mailboxes of the business, and how far each has been read."""

from __future__ import annotations

from django.db import models

from core.secrets import OptionalSecretField
from messaging.models.connections import ChannelConnection


class MailboxAccount(models.Model):
    """What a connection by SMTP and IMAP needs to know. Its columns are the provider's settings."""

    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="smtp"
    )
    username = models.CharField(max_length=320, blank=True)
    password = OptionalSecretField(null=True, editable=False)
    smtp_host = models.CharField(max_length=253, blank=True)
    smtp_port = models.CharField(max_length=5, blank=True)
    imap_host = models.CharField(max_length=253, blank=True)
    imap_port = models.CharField(max_length=5, blank=True)
    first_days = models.CharField(max_length=2, blank=True)
    changed_at = models.DateTimeField(auto_now=True)  # the watcher connects anew

    def __str__(self) -> str:
        return self.imap_host or self.smtp_host


class ConsentedMailbox(models.Model):
    """A mailbox that its owner lets us use (OAuth 2.0). Its settings are columns; the tokens come by themselves."""

    refresh_token = OptionalSecretField(null=True, editable=False)
    access_token = OptionalSecretField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True)  # the access token
    renewing_at = models.DateTimeField(null=True)  # since when a process renews it
    first_days = models.CharField(max_length=2, blank=True)
    changed_at = models.DateTimeField(auto_now=True)  # the watcher connects anew

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.pk)


class GoogleAccount(ConsentedMailbox):
    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="google"
    )


class MicrosoftAccount(ConsentedMailbox):
    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="microsoft"
    )


class MailFolder(models.Model):
    """A folder of a mailbox: up to which mail it has been read (RFC 9051, 2.3.1.1)."""

    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="folder"
    )
    mailbox = models.CharField(max_length=600, blank=True)  # user name and server: whose numbers these are
    uid_validity = models.BigIntegerField(null=True)  # another one: the server has numbered its mails anew
    last_uid = models.BigIntegerField(default=0)
    read_at = models.DateTimeField(null=True)  # when all mails that were there had been read
    failing_since = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.connection_id} to {self.last_uid}"

    @property
    def is_watched(self) -> bool:
        return self.read_at is not None and self.failing_since is None
