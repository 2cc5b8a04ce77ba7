from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnly
from integrations.lead_reply_api import models


@admin.register(models.LeadReplyApi)
class LeadReplyApiAdmin(ReadOnly):
    list_display = ["source", "enabled_at", "inherits_at", "verified_at"]
    list_filter = [("enabled_at", admin.EmptyFieldListFilter), ("inherits_at", admin.EmptyFieldListFilter)]
    search_fields = ["source__name"]


@admin.register(models.ReplyKey)
class ReplyKeyAdmin(ReadOnly):
    list_display = ["__str__", "card", "created_at", "ends_at", "last_used_at"]
    search_fields = ["card__source__name", "last_four"]
    exclude = ["digest"]
