"""Who mails of a connection are from, where answers go, and the signature, with a preview."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import Actor
from accounts.http import PageRequest
from accounts.rights import Right
from core.mime.frames import framed
from messaging.email.signatures import HTML_MAX, TEXT_MAX, change_mail_settings, mail_settings_of, with_signature
from messaging.forms import AddressField
from messaging.models import ChannelConnection

SAMPLE = "Thank you for your message. We can come tomorrow between 9 and 11."


class MailSettingsForm(forms.Form):
    sender_name = forms.CharField(max_length=100, required=False, help_text="Empty: the connection's name.")
    reply_to = AddressField(
        kind="email",
        required=False,
        label="Answers go to",
        help_text="Empty: to Leadwire. Answers to another address are seen here only if that mailbox is connected too.",
    )
    signature_text = forms.CharField(
        max_length=TEXT_MAX, required=False, label="Signature", widget=forms.Textarea(attrs={"rows": 5})
    )
    signature_html = forms.CharField(
        max_length=HTML_MAX,
        required=False,
        label="Signature as HTML",
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text="For mail programs that show it. Empty: the lines above. Rules of a <style> move to the elements,"
        " and scripts and forms are taken out.",
    )


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def mail_settings(request: PageRequest, connection_id: int) -> HttpResponse:
    """Change them, and see how a mail looks."""
    connection = load_for_mail(request, connection_id)
    row = mail_settings_of(connection)
    initial = {name: getattr(row, name) for name in MailSettingsForm.base_fields}
    form = MailSettingsForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values: Any = form.cleaned_data
        change_mail_settings(connection=connection, actor=Actor.of(request), values=values)
        messages.success(request, "Saved. The preview shows the next mail.")
        return redirect("messaging:mail-settings", connection_id)
    values = {
        "connection": connection,
        "form": form,
        "sender_name": row.sender_name or connection.name,
        "reply_to": row.reply_to,
        "plain": with_signature(SAMPLE, row),
    }
    return render(request, "messaging/mail_settings_page.html", values)


@login_required
@never_cache
@require_safe
@xframe_options_sameorigin
def mail_preview(request: PageRequest, connection_id: int) -> HttpResponse:
    """Show a mail as its receiver sees it, in a frame without an origin."""
    row = mail_settings_of(load_for_mail(request, connection_id))
    html = render_to_string("mail/message.html", {"content": SAMPLE, "mail_settings": row})
    return framed(HttpResponse(html), shows_pictures=True)


def load_for_mail(request: HttpRequest, connection_id: int) -> ChannelConnection:
    """Return a connection for mail that the person may configure, an account or a source's own address."""
    rows = ChannelConnection.objects.visible_to(request.user, Right.CONFIGURE).active().filter(kind="email")
    return get_object_or_404(rows.select_related("source", "mail_settings"), pk=connection_id)
