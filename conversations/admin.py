from __future__ import annotations

from django.contrib import admin

from conversations import models
from conversations.models import Conversation, Message
from core.admin import ReadOnly


@admin.register(Conversation)
class ConversationAdmin(ReadOnly):
    list_display = ["title", "lead", "source", "last_message_at", "closed_at"]
    list_filter = ["organization", ("closed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["lead", "source"]
    search_fields = ["title"]
    exclude = ["reply_token"]


@admin.register(Message)
class MessageAdmin(ReadOnly):
    list_display = ["created_at", "direction", "author", "status", "error_code"]
    list_filter = ["direction", "status"]
    search_fields = ["external_id"]


@admin.register(models.UsedNonce)
class UsedNonceAdmin(ReadOnly):
    list_display = ["expires_at"]
    exclude = ["digest"]
