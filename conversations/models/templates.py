"""Outbound messages that were made of a template."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from conversations.models.messages import Message


class SentTemplate(models.Model):
    """The template of a message, with the texts of its variables. The message's content is what the lead reads."""

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.PROTECT, related_name="template")
    name = models.CharField(max_length=512)
    language = models.CharField(max_length=20)
    variables = ArrayField(models.TextField(), default=list)
    variable_names = ArrayField(models.CharField(max_length=60), default=list)  # of named variables

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"
