from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from accounts.actors import Actor
from accounts.models import AuditEntry, Membership, Organization, SourceAccess, User
from core.admin import ReadOnly


@admin.register(Organization)
class OrganizationAdmin(admin.ModelAdmin):
    list_display = ["name", "created_at"]
    search_fields = ["name"]


@admin.register(User)
class PersonAdmin(UserAdmin):
    ordering = ["email"]
    list_display = ["email", "name", "is_active", "is_staff"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name"]
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "time_zone"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("Times", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]
    readonly_fields = ["last_login", "created_at"]
    filter_horizontal = []


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["user", "organization", "role", "limited_at", "removed_at"]
    list_filter = ["role", "organization"]
    search_fields = ["user__email", "organization__name"]
    autocomplete_fields = ["user", "organization"]

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        after = {"role": obj.role, "limited": obj.is_limited, "removed": obj.removed_at is not None}
        Actor.of(request).record("admin.member", organization=obj.organization, target=obj.user.email, after=after)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # set "removed at" instead: a membership that ended keeps its source limit


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ["created_at", "organization", "actor", "action", "target", "address"]
    list_filter = ["action", "organization"]
    search_fields = ["actor", "target", "action"]


@admin.register(SourceAccess)
class SourceAccessAdmin(admin.ModelAdmin):
    list_display = ["membership", "source"]
    search_fields = ["membership__user__email", "source__name"]
    autocomplete_fields = ["membership", "source"]

    def save_model(self, request: HttpRequest, obj: SourceAccess, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._record(request, obj, {"sees": obj.source.name})

    def delete_model(self, request: HttpRequest, obj: SourceAccess) -> None:
        self._record(request, obj, {"no longer sees": obj.source.name})
        super().delete_model(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # one by one, so that each change is audited

    def _record(self, request: HttpRequest, obj: SourceAccess, after: dict[str, object]) -> None:
        target = obj.membership.user.email
        Actor.of(request).record(
            "admin.source-access",
            organization=obj.source.organization,
            target=target,
            source_id=obj.source_id,
            after=after,
        )
