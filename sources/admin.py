from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts import models
from accounts.actors import Actor
from sources.services import EDITABLE, furnish


@admin.register(models.Source)
class SourceAdmin(admin.ModelAdmin):
    list_display = ["name", "kind", "parent", "organization", "archived_at"]
    list_filter = ["kind", "organization"]
    search_fields = ["name", "external_id"]
    autocomplete_fields = ["organization", "parent"]
    readonly_fields = ["archived_at", "archived_by"]

    def save_model(self, request: HttpRequest, obj: models.Source, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            furnish(obj)
        after = {name: getattr(obj, name) for name in form.changed_data if name in EDITABLE}
        record = Actor.of(request).record
        record("admin.source", organization=obj.organization, target=obj, source_id=obj.pk, after=after)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # archive it instead
