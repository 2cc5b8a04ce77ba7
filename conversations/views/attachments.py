"""Files of messages: as people of the team open them, and behind links that need no login."""

from __future__ import annotations

from uuid import UUID

from csp.constants import NONE
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts.http import PageRequest
from accounts.reach import load
from conversations.models import Attachment
from conversations.services import uploads
from conversations.services.attachment_links import API_LASTS, DOWNLOAD, UPLOAD, download_url, file_named_by
from messaging.files import store
from messaging.files.kinds import header_name

BLOCK = 64 * 1024  # bytes that are read of a file at a time
# A stranger sent it. It is downloaded, and a browser that shows it all the same gives it no origin and loads nothing.
HARMLESS = {
    "default-src": [NONE], "script-src": [NONE], "style-src": [NONE], "img-src": [NONE], "form-action": [NONE],
    "sandbox": [], "frame-ancestors": [NONE],
}  # fmt: skip


@login_required
@require_safe
def attachment_file(request: PageRequest, attachment_id: UUID) -> HttpResponseBase:
    """Download a file of a message."""
    return _download(_of_a_message(request, attachment_id))


@login_required
@require_safe
def attachment_item(request: PageRequest, attachment_id: UUID) -> HttpResponse:
    """Show a file in its message: the page asks again while it is being checked."""
    return render(request, "conversations/_attachment.html", {"file": _of_a_message(request, attachment_id)})


@login_required
@require_safe
def attachment_preview(request: PageRequest, attachment_id: UUID) -> HttpResponse:
    """Show a picture, drawn anew by us."""
    attachment = _of_a_message(request, attachment_id)
    if not attachment.is_ready or not attachment.has_preview:
        raise Http404
    response = HttpResponse(store.get(attachment.preview_key), content_type="image/webp")
    patch_cache_control(response, private=True, max_age=3_600)
    return response


@require_safe
def file_by_link(request: HttpRequest, token: str) -> HttpResponseBase:
    """Give a file to whoever has its link, while that lasts."""
    named = file_named_by(token, DOWNLOAD)
    attachment = Attachment.objects.filter(pk=named, message__lead__erased_at=None).first() if named else None
    if attachment is None:
        return _said(404, "This link has ended, or the file is not there any more.")
    return _download(attachment)


@csrf_exempt
@require_http_methods(["PUT"])
def upload_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the bytes of an announced file. The link is the permission, and ends after an hour."""
    named = file_named_by(token, UPLOAD)
    attachment = Attachment.objects.uploads().filter(pk=named).first() if named else None
    if attachment is None:
        return _said(404, "This link has ended, or a message has the file already.")
    content = request.read(store.FILE_MAX + 1)
    if len(content) != attachment.size:
        return _said(400, f"The file was announced with {attachment.size:,} bytes, and {len(content):,} came.")
    if not uploads.receive(attachment.pk, content):
        return _said(409, "A message has the file already.")
    return HttpResponse(status=204)


def _of_a_message(request: PageRequest, attachment_id: UUID) -> Attachment:
    return load(Attachment.objects.exclude(message=None), request, attachment_id)


def _download(attachment: Attachment) -> HttpResponseBase:
    if not attachment.is_ready:
        return _said(409, f"{attachment.name}: {attachment.get_state_display()}. {attachment.detail}".strip())
    if store.is_bucket():
        return HttpResponseRedirect(download_url(attachment, API_LASTS))
    response = FileResponse(store.store().open(attachment.key), content_type=attachment.content_type)
    response.block_size = BLOCK
    response["Content-Disposition"] = header_name(attachment.name)
    response["Cache-Control"] = "no-store"
    response._csp_replace = HARMLESS  # type: ignore[attr-defined]  # as csp_replace does it
    response["Referrer-Policy"] = "no-referrer"
    return response


def _said(status: int, words: str) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
