"""The API's operations on leads and what is said."""

from django.urls import path

from conversations.api import connections, conversations, leads

urlpatterns = [
    path("messaging-channel-connections", connections.ConnectionsApi.as_view(), name="connections"),
    path("leads", leads.LeadsApi.as_view(), name="leads"),
    path("leads/<str:lead_id>", leads.LeadApi.as_view(), name="lead"),
    path("leads/<str:lead_id>/conversations", conversations.LeadConversationsApi.as_view(), name="conversations"),
    path("leads/<str:lead_id>/conversations/reply", conversations.ReplyApi.as_view(), name="reply"),
    path(
        "conversations/<str:conversation_id>/messages",
        conversations.ConversationMessagesApi.as_view(),
        name="messages",
    ),
    path("messages/<str:message_id>", conversations.MessageApi.as_view(), name="message"),
    path("messages/<str:message_id>/retry", conversations.MessageRetryApi.as_view(), name="retry"),
]
