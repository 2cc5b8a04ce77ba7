"""Mails as they came in: behind a message, and those that no conversation shows."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts.http import PageRequest
from accounts.reach import load
from conversations.models import Message
from core.keyset import page
from core.mime.frames import framed
from core.mime.html import safe_html
from core.problems import Invalid
from messaging.email.reading import html_in
from messaging.files.scanner import NotScanned, TooLarge, is_scanning, virus_in
from messaging.models import InboundMail

PAGE_SIZE = 30


@login_required
@require_safe
def automatic_mails(request: PageRequest) -> HttpResponse:
    """List what programs sent that belongs to no conversation, so that nothing we accepted is out of sight."""
    membership = request.membership
    rows = InboundMail.objects.visible_to(request.user).apart().select_related("connection__source").defer("raw")
    rows = rows.filter(connection__organization=membership.organization_id) if membership else rows.none()
    query: dict[str, object] = {"limit": PAGE_SIZE}
    if request.GET.get("cursor"):
        query["cursor"] = request.GET["cursor"]
    try:
        shown, cursor = page(rows, query)
    except Invalid:
        return redirect("conversations:automatic-mails")
    return render(request, "conversations/automatic_mails_page.html", {"mails": shown, "cursor": cursor})


@login_required
@require_safe
def automatic_mail(request: PageRequest, mail_id: UUID) -> HttpResponse:
    """One of them, whole, as a file."""
    return _as_file(load(InboundMail.objects.apart(), request, mail_id), "mail")


@login_required
@require_safe
def message_mail(request: PageRequest, message_id: UUID) -> HttpResponse:
    """The mail that became this message, or that brought it back, whole, with its headers and attachments."""
    message = load(Message.objects.all(), request, message_id)
    mail = InboundMail.objects.filter(message_id=message.pk).exclude(header_id="").order_by("id").first()
    if mail is None:
        raise Http404
    return _as_file(mail, message.public_id)


@login_required
@require_safe
@xframe_options_sameorigin
def message_html(request: PageRequest, message_id: UUID) -> HttpResponse:
    """The HTML of the mail that became this message, made harmless. Pictures only where `pictures` asks for them."""
    message = load(Message.objects.all(), request, message_id)
    mail = InboundMail.objects.filter(message_id=message.pk, has_html=True).exclude(header_id="").order_by("id").first()
    if mail is None:
        raise Http404
    values = {"html": mark_safe(safe_html(html_in(bytes(mail.raw))))}  # noqa: S308  nh3 cleaned it, and it is sandboxed
    response = render(request, "conversations/mail_frame.html", values)
    return framed(response, shows_pictures="pictures" in request.GET)


def _as_file(mail: InboundMail, name: str) -> HttpResponse:
    """A stranger wrote it: the browser never shows it on our own origin, and it is scanned, whatever we found in it."""
    if is_scanning():
        try:
            virus = virus_in(bytes(mail.raw))
        except (NotScanned, TooLarge) as error:
            return HttpResponse(f"{error}\n", status=503, content_type="text/plain; charset=utf-8")
        if virus:
            return HttpResponse(
                f"A virus was found in this mail: {virus}\n", status=409, content_type="text/plain; charset=utf-8"
            )
    headers = {"Content-Disposition": f'attachment; filename="{name}.eml"', "Cache-Control": "no-store"}
    return HttpResponse(bytes(mail.raw), content_type="message/rfc822", headers=headers)
