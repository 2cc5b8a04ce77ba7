from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnly
from outbox import models


@admin.register(models.Lane)
class LaneAdmin(ReadOnly):
    list_select_related = ["timer"]
    list_display = ["id", "kind", "timer__check_at", "held_at", "stopped_at", "failing_since", "last_error"]
    list_filter = ["kind", ("failing_since", admin.EmptyFieldListFilter)]
    search_fields = ["last_error"]


@admin.register(models.Job)
class JobAdmin(ReadOnly):
    list_display = ["category", "status", "attempts", "next_attempt_at", "error"]
    list_filter = ["category", "status"]
    search_fields = ["subject_id"]


@admin.register(models.Counter)
class CounterAdmin(ReadOnly):
    list_display = ["name", "count"]
    search_fields = ["name"]
