"""The inbox, its conversations, and leads."""

from django.urls import path

from core import converters  # noqa: F401  makes <conv:...> and its like known
from inbox.views import conversation, leads, listing, templates

app_name = "inbox"
urlpatterns = [
    path("inbox/", listing.inbox, name="inbox"),
    path("inbox/<conv:conversation_id>/", conversation.conversation, name="conversation"),
    path("inbox/<conv:conversation_id>/reply/", conversation.reply_create, name="reply-create"),
    path("inbox/<conv:conversation_id>/close/", conversation.conversation_close, name="conversation-close"),
    path("inbox/<conv:conversation_id>/assign/", conversation.conversation_assign, name="conversation-assign"),
    path("inbox/<conv:conversation_id>/notes/", conversation.note_create, name="note-create"),
    path("inbox/<conv:conversation_id>/templates/<int:template_id>/", templates.template_use, name="template-use"),
    path("messages/<msg:message_id>/retry/", conversation.message_retry, name="message-retry"),
    path("messages/<msg:message_id>/meaning/", conversation.reply_classify, name="reply-classify"),
    path("leads/", leads.leads, name="leads"),
    path("leads/<lead:lead_id>/", leads.lead, name="lead"),
    path("leads/<lead:lead_id>/consent/", leads.lead_consent, name="lead-consent"),
]
