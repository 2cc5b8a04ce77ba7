from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts.actors import Actor
from api import models
from api import services as tokens
from core.admin import ReadOnly


class DirectoryTokenForm(forms.ModelForm):
    """A token for several organizations; its key is shown once."""

    scopes = forms.MultipleChoiceField(choices=models.ApiToken.Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = models.ApiToken
        fields = ["name", "organizations", "scopes", "expires_at"]


@admin.register(models.ApiToken)
class ApiTokenAdmin(ReadOnly):
    """All tokens; here operators make those of kind directory. Organizations make their own on their settings."""

    list_display = ["name", "__str__", "kind", "organization", "created_at", "last_used_at", "revoked_at"]
    list_filter = ["kind", "organization"]
    search_fields = ["name", "last_four"]
    exclude = ["digest", "previous_digest"]
    actions = ["revoke"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs) if obj else DirectoryTokenForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fields(request, obj) if obj else DirectoryTokenForm.Meta.fields

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        obj, key = tokens.make_directory_token(actor=Actor.of(request), **form.cleaned_data)
        form.instance, form.save_m2m = obj, lambda: None
        self.message_user(request, f"Copy the key now, it is not shown again: {key}")
        return obj

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        pass  # the service has

    @admin.action(description="Revoke the chosen tokens", permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        for token in queryset.filter(revoked_at=None):
            tokens.revoke_token(token=token, actor=Actor.of(request))


@admin.register(models.ApiCall)
class ApiCallAdmin(ReadOnly):
    list_display = ["id", "method", "path", "status", "code", "ms", "request_id"]
    list_filter = ["status"]
    search_fields = ["request_id"]


@admin.register(models.IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnly):
    list_display = ["created_at", "status"]
    list_filter = ["status"]
    exclude = ["answer", "digest", "body_digest"]


@admin.register(models.RateLimitWindow)
class RateLimitWindowAdmin(ReadOnly):
    list_display = ["key", "minute_count", "hour_count"]
    search_fields = ["key"]
