from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnly
from messaging import models
from messaging.models import InboundMail


@admin.register(InboundMail)
class InboundMailAdmin(ReadOnly):
    list_display = ["received_at", "envelope_to", "outcome", "header_id"]
    list_filter = ["outcome"]
    search_fields = ["header_id", "envelope_to"]
    exclude = ["raw"]


@admin.register(models.ChannelConnection)
class ChannelConnectionAdmin(ReadOnly):
    list_display = ["id", "kind", "provider", "name", "source", "local_part", "own_address", "disconnected_at"]
    list_filter = ["kind", "provider", "organization"]
    search_fields = ["name", "local_part", "own_address", "source__name"]


@admin.register(models.InboundCall)
class InboundCallAdmin(ReadOnly):
    list_display = ["received_at", "connection_id", "outcome", "detail"]
    list_filter = ["outcome"]
    exclude = ["body"]


@admin.register(models.Dispatch)
class DispatchAdmin(ReadOnly):
    list_display = ["id", "attempts", "next_attempt_at"]
    search_fields = ["id"]
