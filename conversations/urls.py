"""Mails, files, and the public form."""

from django.urls import path, re_path

from conversations.views import attachments, forms, mails, unsubscribing
from core import converters  # noqa: F401  makes <src:...> and its like known

app_name = "conversations"
urlpatterns = [
    path("inbox/automatic-mail/", mails.automatic_mails, name="automatic-mails"),
    path("inbox/automatic-mail/<mail:mail_id>/", mails.automatic_mail, name="automatic-mail"),
    path("attachments/<file:attachment_id>/", attachments.attachment_file, name="attachment"),
    path("attachments/<file:attachment_id>/item/", attachments.attachment_item, name="attachment-item"),
    path("attachments/<file:attachment_id>/preview/", attachments.attachment_preview, name="attachment-preview"),
    path("files/download/<str:token>", attachments.file_by_link, name="file-by-link"),
    path("files/upload/<str:token>", attachments.upload_by_link, name="upload-by-link"),
    path("messages/<msg:message_id>/html/", mails.message_html, name="message-html"),
    path("messages/<msg:message_id>/mail/", mails.message_mail, name="message-mail"),
    re_path(r"^unsubscribe/(?P<token>[0-9a-f]{32})/$", unsubscribing.unsubscribe, name="unsubscribe"),
    path("forms/<src:source_id>", forms.form, name="form"),
    path("forms/<src:source_id>/thanks", forms.form_thanks, name="form-thanks"),
]
