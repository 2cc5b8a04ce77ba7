"""Every path of the API below /v1/."""

from __future__ import annotations

from django.urls import path

from api.jobs import JobApi, JobCancelApi, JobsApi
from conversations.api import (
    attachments,
    connection_settings,
    connections,
    conversations,
    exports,
    inbox,
    lead_actions,
    leads,
    replies,
)
from integrations.card_api import CardApi, CardDisconnectApi, CardRegenerateApi, CardValidateApi
from integrations.lead_reply_api.whoami import WhoamiApi
from leads.api import custom_fields, imports
from sources.api import SourceApi, SourceArchiveApi, SourceRestoreApi, SourcesApi
from sources.timing_api import SourceTimingApi
from webhooks.api.deliveries import WebhookDeliveriesApi, WebhookDeliveryApi
from webhooks.api.events import EventsApi
from webhooks.api.webhooks import (
    WebhookApi,
    WebhookDisableApi,
    WebhookEnableApi,
    WebhookEventsApi,
    WebhookReplayApi,
    WebhookRotateApi,
    WebhooksApi,
    WebhookTestApi,
)

CARD = "sources/<str:source_id>/cards/<str:slug>"
CONNECTION = "messaging-channel-connections/<str:connection_id>"
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
    path("sources/<str:source_id>/timing", SourceTimingApi.as_view(), name="source-timing"),
    path("sources/<str:source_id>/archive", SourceArchiveApi.as_view(), name="source-archive"),
    path("sources/<str:source_id>/restore", SourceRestoreApi.as_view(), name="source-restore"),
    path(CARD, CardApi.as_view(), name="card"),
    path(f"{CARD}/validate", CardValidateApi.as_view(), name="card-validate"),
    path(f"{CARD}/regenerate", CardRegenerateApi.as_view(), name="card-regenerate"),
    path(f"{CARD}/disconnect", CardDisconnectApi.as_view(), name="card-disconnect"),
    path("background-jobs", JobsApi.as_view(), name="background-jobs"),
    path("background-jobs/<str:job_id>", JobApi.as_view(), name="background-job"),
    path("background-jobs/<str:job_id>/cancel", JobCancelApi.as_view(), name="background-job-cancel"),
    path("messaging-channel-connections", connections.ConnectionsApi.as_view(), name="connections"),
    path(CONNECTION, connection_settings.ConnectionApi.as_view(), name="connection"),
    path(f"{CONNECTION}/check", connection_settings.ConnectionCheckApi.as_view(), name="connection-check"),
    path(f"{CONNECTION}/send-test", connection_settings.ConnectionTestApi.as_view(), name="connection-test"),
    path(
        f"{CONNECTION}/sources/<str:source_id>",
        connection_settings.ConnectionSourceApi.as_view(),
        name="connection-source",
    ),
    path("attachments", attachments.AttachmentsApi.as_view(), name="attachments"),
    path(
        "attachments/<str:attachment_id>/download",
        attachments.AttachmentDownloadApi.as_view(),
        name="attachment-download",
    ),
    path("leads", leads.LeadsApi.as_view(), name="leads"),
    path("leads/import", imports.ImportApi.as_view(), name="import"),
    path("background-jobs/<str:job_id>/errors", imports.ImportErrorsApi.as_view(), name="import-errors"),
    path("leads/<str:lead_id>", leads.LeadApi.as_view(), name="lead"),
    path("leads/<str:lead_id>/merge", lead_actions.LeadMergeApi.as_view(), name="lead-merge"),
    path("leads/<str:lead_id>/erase", lead_actions.LeadEraseApi.as_view(), name="lead-erase"),
    path("leads/<str:lead_id>/export", exports.LeadExportApi.as_view(), name="lead-export"),
    path("leads/<str:lead_id>/opt-outs", lead_actions.OptOutsApi.as_view(), name="opt-outs"),
    path("leads/<str:lead_id>/opt-outs/<str:channel>", lead_actions.OptOutApi.as_view(), name="opt-out"),
    path("leads/<str:lead_id>/messages", lead_actions.LeadMessagesApi.as_view(), name="lead-messages"),
    path("custom-fields", custom_fields.CustomFieldsApi.as_view(), name="custom-fields"),
    path("custom-fields/<str:field_id>", custom_fields.CustomFieldApi.as_view(), name="custom-field"),
    path("leads/<str:lead_id>/conversations", conversations.LeadConversationsApi.as_view(), name="conversations"),
    path("leads/<str:lead_id>/conversations/reply", conversations.ReplyApi.as_view(), name="reply"),
    path("conversations", inbox.InboxApi.as_view(), name="inbox"),
    path("conversations/<str:conversation_id>", inbox.ConversationApi.as_view(), name="conversation"),
    path("conversations/<str:conversation_id>/notes", inbox.NotesApi.as_view(), name="notes"),
    path("conversations/<str:conversation_id>/read", inbox.ReadApi.as_view(), name="read"),
    path(
        "conversations/<str:conversation_id>/messages",
        conversations.ConversationMessagesApi.as_view(),
        name="messages",
    ),
    path("replies", replies.RepliesApi.as_view(), name="replies"),
    path("replies/<str:reply_id>/classification", replies.ReplyClassificationApi.as_view(), name="classification"),
    path("messages/<str:message_id>", conversations.MessageApi.as_view(), name="message"),
    path("messages/<str:message_id>/retry", conversations.MessageRetryApi.as_view(), name="retry"),
]
