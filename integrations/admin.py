"""The admin for operators: everything can be looked at, secrets never, history is not changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts.actors import Actor
from core.admin import ReadOnly
from integrations import models
from integrations.services import tokens
from integrations.services.sources import EDITABLE, furnish


@admin.register(models.Source)
class SourceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
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


@admin.register(models.SourceAccess)
class SourceAccessAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["membership", "source"]
    search_fields = ["membership__user__email", "source__name"]
    autocomplete_fields = ["membership", "source"]

    def save_model(self, request: HttpRequest, obj: models.SourceAccess, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._record(request, obj, {"sees": obj.source.name})

    def delete_model(self, request: HttpRequest, obj: models.SourceAccess) -> None:
        self._record(request, obj, {"no longer sees": obj.source.name})
        super().delete_model(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # one by one, so that each change is audited

    def _record(self, request: HttpRequest, obj: models.SourceAccess, after: dict[str, object]) -> None:
        target = obj.membership.user.email
        Actor.of(request).record(
            "admin.source-access",
            organization=obj.source.organization,
            target=target,
            source_id=obj.source_id,
            after=after,
        )


@admin.register(models.RestWebhook)
class RestWebhookAdmin(ReadOnly):
    list_display = ["source", "enabled_at", "inherits_at", "verified_at", "failing_since"]
    list_filter = [("enabled_at", admin.EmptyFieldListFilter), ("inherits_at", admin.EmptyFieldListFilter)]
    list_select_related = ["source", "lane"]
    search_fields = ["source__name", "url"]

    @admin.display(description="failing since")
    def failing_since(self, card: models.RestWebhook) -> object:
        return card.lane.failing_since


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


@admin.register(models.WebhookSecret)
class WebhookSecretAdmin(ReadOnly):
    list_display = ["card", "created_at", "ends_at"]
    search_fields = ["card__source__name"]
    exclude = ["header_secret", "signing_secret"]


@admin.register(models.Subscription)
class SubscriptionAdmin(ReadOnly):
    list_display = ["name", "organization", "url", "enabled_at", "failing_since", "deleted_at"]
    list_filter = ["organization", ("deleted_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization", "lane"]
    search_fields = ["name", "url"]
    exclude = ["headers", "basic_password", "client_key"]

    @admin.display(description="failing since")
    def failing_since(self, subscription: models.Subscription) -> object:
        return subscription.lane.failing_since


@admin.register(models.SubscriptionSecret)
class SubscriptionSecretAdmin(ReadOnly):
    list_display = ["subscription", "created_at", "ends_at"]
    search_fields = ["subscription__name"]
    exclude = ["signing_secret"]


class DirectoryTokenForm(forms.ModelForm):  # type: ignore[type-arg]
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


@admin.register(models.ChannelConnection)
class ChannelConnectionAdmin(ReadOnly):
    list_display = ["id", "kind", "name", "source", "local_part", "disconnected_at"]
    list_filter = ["kind", "organization"]
    search_fields = ["name", "local_part", "source__name"]


@admin.register(models.Lane)
class LaneAdmin(ReadOnly):
    list_select_related = ["clock"]
    list_display = ["id", "kind", "clock__next_due_at", "held_at", "stopped_at", "failing_since", "last_error"]
    list_filter = ["kind", ("failing_since", admin.EmptyFieldListFilter)]
    search_fields = ["last_error"]


@admin.register(models.Delivery)
class DeliveryAdmin(ReadOnly):
    list_display = ["id", "event_type", "attempts", "next_attempt_at", "is_test"]
    list_filter = ["event_type"]
    search_fields = ["id", "event_id"]


@admin.register(models.Dispatch)
class DispatchAdmin(ReadOnly):
    list_display = ["id", "attempts", "next_attempt_at"]
    search_fields = ["id"]


@admin.register(models.Job)
class JobAdmin(ReadOnly):
    list_display = ["category", "status", "attempts", "next_attempt_at", "error"]
    list_filter = ["category", "status"]
    search_fields = ["subject_id"]


@admin.register(models.Event)
class EventAdmin(ReadOnly):
    list_display = ["id", "type", "sequence", "happened_at"]
    list_filter = ["type"]
    search_fields = ["id", "lead_id"]


@admin.register(models.Attempt)
class AttemptAdmin(ReadOnly):
    list_display = ["started_at", "event_type", "number", "outcome", "status_code", "error"]
    list_filter = ["outcome"]
    search_fields = ["delivery_id", "event_id"]


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


@admin.register(models.OnceUsed)
class OnceUsedAdmin(ReadOnly):
    list_display = ["expires_at"]
    exclude = ["digest"]


@admin.register(models.RateWindow)
class RateWindowAdmin(ReadOnly):
    list_display = ["key", "started_at", "count"]
    search_fields = ["key"]


@admin.register(models.Replay)
class ReplayAdmin(ReadOnly):
    list_display = ["created_at", "lane", "since", "until", "is_dry_run", "created_by"]
    list_filter = ["is_dry_run"]
    search_fields = ["created_by"]


@admin.register(models.FeedEntry)
class FeedEntryAdmin(ReadOnly):
    list_display = ["event_id", "organization_id", "position"]
    search_fields = ["event_id", "organization_id"]


@admin.register(models.FeedHead)
class FeedHeadAdmin(ReadOnly):
    list_display = ["organization_id", "position"]
    search_fields = ["organization_id"]


@admin.register(models.Unsequenced)
class UnsequencedAdmin(ReadOnly):
    list_display = ["event_id", "organization_id"]
    search_fields = ["event_id"]


@admin.register(models.Tally)
class TallyAdmin(ReadOnly):
    list_display = ["name", "count"]
    search_fields = ["name"]
