"""The inbox, its conversations, and leads."""

from django.urls import path

from core import converters  # noqa: F401  makes <conv:...> and its like known
from inbox.views import conversation, filing, leads, listing, live, saved_replies, templates

app_name = "inbox"
urlpatterns = [
    path("inbox/", listing.inbox, name="inbox"),
    path("inbox/changes/", live.changes, name="changes"),
    path("inbox/rows/", live.rows, name="rows"),
    path("inbox/bulk/", listing.bulk, name="bulk"),
    path("inbox/bulk/<bulk:change_id>/undo/", listing.bulk_undo, name="bulk-undo"),
    path("inbox/views/", listing.views, name="views"),
    path("inbox/views/new/", listing.view_create, name="view-create"),
    path("inbox/views/<view:view_id>/delete/", listing.view_delete, name="view-delete"),
    path("inbox/<conv:conversation_id>/", conversation.conversation, name="conversation"),
    path("inbox/<conv:conversation_id>/thread/", live.thread, name="thread"),
    path("inbox/<conv:conversation_id>/reply/", conversation.reply_create, name="reply-create"),
    path("inbox/<conv:conversation_id>/notes/", conversation.note_create, name="note-create"),
    path("inbox/<conv:conversation_id>/close/", filing.conversation_close, name="conversation-close"),
    path("inbox/<conv:conversation_id>/assign/", filing.conversation_assign, name="conversation-assign"),
    path("inbox/<conv:conversation_id>/snooze/", filing.conversation_snooze, name="conversation-snooze"),
    path("inbox/<conv:conversation_id>/tags/", filing.conversation_tag, name="conversation-tag"),
    path("inbox/<conv:conversation_id>/hand-over/", filing.conversation_hand_over, name="conversation-hand-over"),
    path("inbox/<conv:conversation_id>/unread/", filing.conversation_unread, name="conversation-unread"),
    path(
        "inbox/<conv:conversation_id>/saved-replies/<saved:saved_id>/",
        saved_replies.saved_reply_use,
        name="saved-reply-use",
    ),
    path("settings/saved-replies/", saved_replies.saved_replies, name="saved-replies"),
    path("settings/saved-replies/new/", saved_replies.saved_reply_form, name="saved-reply-create"),
    path("settings/saved-replies/<saved:saved_id>/", saved_replies.saved_reply_form, name="saved-reply"),
    path(
        "settings/saved-replies/<saved:saved_id>/delete/", saved_replies.saved_reply_delete, name="saved-reply-delete"
    ),
    path("inbox/<conv:conversation_id>/templates/<int:template_id>/", templates.template_use, name="template-use"),
    path("messages/<msg:message_id>/retry/", conversation.message_retry, name="message-retry"),
    path("messages/<msg:message_id>/meaning/", filing.reply_classify, name="reply-classify"),
    path("leads/", leads.leads, name="leads"),
    path("leads/<lead:lead_id>/", leads.lead, name="lead"),
    path("leads/<lead:lead_id>/consent/", leads.lead_consent, name="lead-consent"),
]
