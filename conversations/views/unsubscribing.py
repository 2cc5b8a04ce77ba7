"""The public unsubscribe page, and the one-click request of mail programs (RFC 8058)."""

from __future__ import annotations

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from conversations.models import Conversation
from conversations.services.events import publish_lead_event
from conversations.services.lead_changes import lock_lead
from core.problems import NotFound
from leads.consent import opt_out
from leads.models import OptOut
from webhooks.event_types import EventType


@csrf_exempt  # a mail program posts without a cookie (RFC 8058, 3.2); the token is what it may
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button and changes nothing: mail programs and scanners open every link. POST unsubscribes."""
    conversation = Conversation.objects.select_related("source").filter(reply_token=token).first()
    if conversation is None:
        raise Http404
    if request.method == "POST":
        _unsubscribe(conversation)
    values = {"business": conversation.source.name, "is_done": request.method == "POST"}
    response = render(request, "conversations/unsubscribe_page.html", values)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


@transaction.atomic
def _unsubscribe(conversation: Conversation) -> None:
    try:
        lead = lock_lead(conversation.lead_id)
    except NotFound as gone:  # erased: what it blocked stays blocked
        raise Http404 from gone
    if opt_out(lead=lead, channel="email", reason=OptOut.Reason.UNSUBSCRIBE):
        publish_lead_event(EventType.LEAD_OPTED_OUT, lead)
