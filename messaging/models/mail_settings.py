"""What mails of a connection look like."""

from __future__ import annotations

from django.db import models

from messaging.models.connections import ChannelConnection


class MailSettings(models.Model):
    """Who a mail is from, where answers go, and how it ends. A connection without a row has the usual of each."""

    connection = models.OneToOneField(
        ChannelConnection, primary_key=True, on_delete=models.CASCADE, related_name="mail_settings"
    )
    sender_name = models.CharField(max_length=100, blank=True)
    reply_to = models.CharField(max_length=254, blank=True)
    signature_text = models.TextField(blank=True)
    signature_html = models.TextField(blank=True)  # made harmless when it was saved

    def __str__(self) -> str:
        return str(self.pk)
