"""The admin for operators: everything can be looked at, secrets never, history is not changed."""

from __future__ import annotations

from django.contrib import admin

from core.admin import ReadOnly
from webhooks import models


@admin.register(models.RestWebhook)
class RestWebhookAdmin(ReadOnly):
    list_display = ["source", "enabled_at", "inherits_at", "verified_at", "failing_since"]
    list_filter = [("enabled_at", admin.EmptyFieldListFilter), ("inherits_at", admin.EmptyFieldListFilter)]
    list_select_related = ["source", "lane"]
    search_fields = ["source__name", "url"]

    @admin.display(description="failing since")
    def failing_since(self, card: models.RestWebhook) -> object:
        return card.lane.failing_since


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


@admin.register(models.Delivery)
class DeliveryAdmin(ReadOnly):
    list_display = ["id", "event_type", "attempts", "next_attempt_at", "is_test"]
    list_filter = ["event_type"]
    search_fields = ["id", "event_id"]


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


@admin.register(models.PendingFeedEntry)
class UnsequencedAdmin(ReadOnly):
    list_display = ["event_id", "organization_id"]
    search_fields = ["event_id"]
