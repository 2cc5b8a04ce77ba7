"""Where providers call us: check who it is, keep the call, answer. What it says is read later, by a job."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from core.text import text_problem
from messaging.accounts import account_of
from messaging.base import NotSent, ProviderCall
from messaging.models import ChannelConnection, InboundCall
from messaging.registry import PROVIDERS
from outbox import hints
from outbox.models import Job

URL_MAX = 2_000  # characters
NOTED_AT_MOST_EVERY = timedelta(minutes=1)


@require_http_methods(["GET", "POST"])
def provider_call(request: HttpRequest, token: str) -> HttpResponse:
    """Take one call. 404 for an address that nobody has, 403 for a signature that is wrong, and 200 once it is kept.

    A call that nobody can make sense of is kept too: the provider could not mend it by calling again.
    """
    connection = ChannelConnection.objects.active().filter(callback_token=token).exclude(callback_token="").first()
    if connection is None or not connection.is_connected or text_problem(request.get_full_path()):
        return HttpResponse(status=404)
    provider = PROVIDERS[connection.provider]
    try:
        account = account_of(connection)
    except NotSent:  # its secrets cannot be read: nobody can be told from a stranger
        return HttpResponse(status=403)
    if request.method == "GET":
        answer = provider.challenge(account, request.GET.dict())
        return HttpResponse(answer, content_type="text/plain") if answer else HttpResponse(status=403)
    call = ProviderCall(settings.BASE_URL + request.get_full_path(), request.body, request.headers)
    if not provider.verify(account, call):
        return HttpResponse(status=403)
    _keep(connection, call)
    content_type, body = provider.acknowledgement(call)
    return HttpResponse(body, content_type=content_type)


@transaction.atomic
def _keep(connection: ChannelConnection, call: ProviderCall) -> None:
    """Keep a call, with the job that reads it. When this returns, it may be acknowledged."""
    kept = InboundCall.objects.create(
        organization_id=connection.organization_id,
        connection_id=connection.pk,
        url=call.url[:URL_MAX],
        body=call.body,
    )
    Job.objects.create(organization_id=connection.organization_id, category="read-call", subject_id=kept.pk)
    noted_at = connection.last_inbound_at
    if noted_at is None or timezone.now() - noted_at > NOTED_AT_MOST_EVERY:
        ChannelConnection.objects.filter(pk=connection.pk).update(last_inbound_at=timezone.now())
    transaction.on_commit(lambda: hints.send(hints.MAIL))
