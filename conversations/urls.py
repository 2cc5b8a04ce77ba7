"""The inbox, leads, mails, and the public form."""

from django.urls import path, re_path

from conversations.views import attachments, conversation, forms, inbox, leads, mails, unsubscribing
from conversations.views import templates as message_templates
from core import converters  # noqa: F401  makes <src:...> and its like known

app_name = "conversations"
urlpatterns = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/automatic-mail/", mails.automatic_mails, name="automatic-mails"),
    path("inbox/automatic-mail/<mail:mail_id>/", mails.automatic_mail, name="automatic-mail"),
    path("inbox/<conv:conversation_id>/", conversation.conversation, name="conversation"),
    path("inbox/<conv:conversation_id>/reply/", conversation.reply_create, name="reply-create"),
    path("inbox/<conv:conversation_id>/close/", conversation.conversation_close, name="conversation-close"),
    path("inbox/<conv:conversation_id>/assign/", conversation.conversation_assign, name="conversation-assign"),
    path("inbox/<conv:conversation_id>/notes/", conversation.note_create, name="note-create"),
    path(
        "inbox/<conv:conversation_id>/templates/<int:template_id>/", message_templates.template_use, name="template-use"
    ),
    path("attachments/<file:attachment_id>/", attachments.attachment_file, name="attachment"),
    path("attachments/<file:attachment_id>/item/", attachments.attachment_item, name="attachment-item"),
    path("attachments/<file:attachment_id>/preview/", attachments.attachment_preview, name="attachment-preview"),
    path("files/download/<str:token>", attachments.file_by_link, name="file-by-link"),
    path("files/upload/<str:token>", attachments.upload_by_link, name="upload-by-link"),
    path("messages/<msg:message_id>/retry/", conversation.message_retry, name="message-retry"),
    path("messages/<msg:message_id>/meaning/", conversation.reply_classify, name="reply-classify"),
    path("messages/<msg:message_id>/html/", mails.message_html, name="message-html"),
    path("messages/<msg:message_id>/mail/", mails.message_mail, name="message-mail"),
    path("leads/", leads.leads, name="leads"),
    path("leads/<lead:lead_id>/", leads.lead, name="lead"),
    path("leads/<lead:lead_id>/consent/", leads.lead_consent, name="lead-consent"),
    re_path(r"^unsubscribe/(?P<token>[0-9a-f]{32})/$", unsubscribing.unsubscribe, name="unsubscribe"),
    path("forms/<src:source_id>", forms.form, name="form"),
    path("forms/<src:source_id>/thanks", forms.form_thanks, name="form-thanks"),
]
