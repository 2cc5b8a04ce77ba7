"""The API's operations of this layer."""

from __future__ import annotations

from django.urls import path

from integrations.api.cards import CardApi, CardDisconnectApi, CardRegenerateApi, CardValidateApi
from integrations.api.events import EventsApi
from integrations.api.jobs import JobApi, JobCancelApi, JobsApi
from integrations.api.sources import SourceApi, SourceArchiveApi, SourceRestoreApi, SourcesApi
from integrations.api.webhook_deliveries import WebhookDeliveriesApi, WebhookDeliveryApi
from integrations.api.webhooks import (
    WebhookApi,
    WebhookDisableApi,
    WebhookEnableApi,
    WebhookEventsApi,
    WebhookReplayApi,
    WebhookRotateApi,
    WebhooksApi,
    WebhookTestApi,
)
from integrations.api.whoami import WhoamiApi

CARD = "sources/<str:source_id>/cards/<str:slug>"
WEBHOOK = "webhooks/<str:webhook_id>"
urlpatterns = [
    path("whoami", WhoamiApi.as_view(), name="whoami"),
    path("events", EventsApi.as_view(), name="events"),
    path("webhooks", WebhooksApi.as_view(), name="webhooks"),
    path("webhooks/events", WebhookEventsApi.as_view(), name="webhook-events"),
    path(WEBHOOK, WebhookApi.as_view(), name="webhook"),
    path(f"{WEBHOOK}/enable", WebhookEnableApi.as_view(), name="webhook-enable"),
    path(f"{WEBHOOK}/disable", WebhookDisableApi.as_view(), name="webhook-disable"),
    path(f"{WEBHOOK}/test", WebhookTestApi.as_view(), name="webhook-test"),
    path(f"{WEBHOOK}/rotate-secret", WebhookRotateApi.as_view(), name="webhook-rotate-secret"),
    path(f"{WEBHOOK}/replay", WebhookReplayApi.as_view(), name="webhook-replay"),
    path(f"{WEBHOOK}/deliveries", WebhookDeliveriesApi.as_view(), name="webhook-deliveries"),
    path(f"{WEBHOOK}/deliveries/<str:delivery_id>", WebhookDeliveryApi.as_view(), name="webhook-delivery"),
    path("sources", SourcesApi.as_view(), name="sources"),
    path("sources/<str:source_id>", SourceApi.as_view(), name="source"),
    path("sources/<str:source_id>/archive", SourceArchiveApi.as_view(), name="source-archive"),
    path("sources/<str:source_id>/restore", SourceRestoreApi.as_view(), name="source-restore"),
    path(CARD, CardApi.as_view(), name="card"),
    path(f"{CARD}/validate", CardValidateApi.as_view(), name="card-validate"),
    path(f"{CARD}/regenerate", CardRegenerateApi.as_view(), name="card-regenerate"),
    path(f"{CARD}/disconnect", CardDisconnectApi.as_view(), name="card-disconnect"),
    path("background-jobs", JobsApi.as_view(), name="background-jobs"),
    path("background-jobs/<str:job_id>", JobApi.as_view(), name="background-job"),
    path("background-jobs/<str:job_id>/cancel", JobCancelApi.as_view(), name="background-job-cancel"),
]
