from django.contrib import admin

from core.admin import ReadOnly
from leads.models import Lead, OptOut


@admin.register(Lead)
class LeadAdmin(ReadOnly):
    list_display = ["name", "email", "phone", "source", "created_at"]
    list_filter = ["organization"]
    list_select_related = ["source"]
    search_fields = ["email", "last_name", "phone"]


@admin.register(OptOut)
class OptOutAdmin(ReadOnly):
    list_display = ["address", "channel", "reason", "organization", "created_at", "lifted_at"]
    list_filter = ["channel", "reason"]
    search_fields = ["address"]
