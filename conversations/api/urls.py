"""The API's operations on leads and what is said."""

from django.urls import path

from conversations.api import connections, conversations, custom_fields, exports, imports, inbox, lead_actions, leads

urlpatterns = [
    path("messaging-channel-connections", connections.ConnectionsApi.as_view(), name="connections"),
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
    path("messages/<str:message_id>", conversations.MessageApi.as_view(), name="message"),
    path("messages/<str:message_id>/retry", conversations.MessageRetryApi.as_view(), name="retry"),
]
