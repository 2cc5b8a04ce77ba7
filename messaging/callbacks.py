"""Where providers call us: check who it is, keep the call, answer. What it says is read later, by a job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from core.ids import uuid7
from core.mime.text import clean
from core.problems import RETRY_AFTER_SECONDS
from core.text import text_problem
from messaging.accounts import account_of, missing_secrets
from messaging.base import Provider
from messaging.call_parts import ProviderCall
from messaging.email.incoming import has_too_many_waiting
from messaging.failures import NotSent
from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS
from outbox import hints

URL_MAX, CONTENT_TYPE_MAX = 2_000, 200  # characters
CALL_MAX_BYTES = 48 * 1024**2  # a mail of 25 MB in base64 in JSON
NOTED_AT_MOST_EVERY = timedelta(minutes=1)


@require_http_methods(["GET", "POST"])
def provider_call(request: HttpRequest, token: str) -> HttpResponse:
    """Take one call. 404 for an address that nobody has, 403 for a signature that is wrong, and 200 once it is kept.

    A call that nobody can make sense of is kept too: the provider could not mend it by calling again.
    """
    rows = ChannelConnection.objects.active().filter(callback_token=token).exclude(callback_token="")
    connection = next(iter(rows), None)  # first() would order them
    if connection is None or not connection.is_connected or text_problem(request.get_full_path()):
        return HttpResponse(status=404)
    if missing_secrets(connection):  # an empty one would be known to everybody
        return HttpResponse(status=403)
    provider = PROVIDERS[connection.provider]
    try:
        account = account_of(connection)
    except NotSent:  # its secrets cannot be read: nobody can be told from a stranger
        return HttpResponse(status=403)
    if request.method == "GET":
        answer = provider.challenge(account, request.GET.dict())
        return HttpResponse(answer, content_type="text/plain") if answer else HttpResponse(status=403)
    if int(request.META.get("CONTENT_LENGTH") or 0) > CALL_MAX_BYTES:
        return HttpResponse(status=413)
    content_type = clean(request.headers.get("Content-Type", ""))[:CONTENT_TYPE_MAX]
    # Not `request.body`: config/web has seen to the size, and that of a whole mail is above what Django takes.
    call = ProviderCall(settings.BASE_URL + request.get_full_path(), request.read(), request.headers, content_type)
    if not provider.verify(account, call):
        return _not_known(provider, call)
    if provider.takes_mails and has_too_many_waiting(connection):
        return HttpResponse(status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    _keep(connection, call)
    content_type, body = provider.acknowledgement(call)
    return HttpResponse(body, content_type=content_type)


def _not_known(provider: Provider, call: ProviderCall) -> HttpResponse:
    """403, or 401 for a provider that says who it is only when it is asked."""
    if not provider.asks_for_password or "Authorization" in call.headers:
        return HttpResponse(status=403)
    return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="Leadwire"'})


# One statement, which commits by itself.
_KEEP = """
WITH kept AS (
    INSERT INTO messaging_inboundcall (id, organization_id, connection_id, url, content_type, body, outcome, detail,
        lead_ids, received_at)
    VALUES (%(id)s, %(organization)s, %(connection)s, %(url)s, %(content_type)s, %(body)s, 'waiting', '', '{}', now())
)
INSERT INTO outbox_job (id, organization_id, category, subject_id, status, attempts, error, cancelled_because)
VALUES (%(job)s, %(organization)s, 'read-call', %(id)s, 'scheduled', 0, '', '')
"""


def _keep(connection: ChannelConnection, call: ProviderCall) -> None:
    """Keep a call, with the job that reads it. When this returns, it may be acknowledged."""
    values: dict[str, Any] = {
        "id": uuid7(),
        "job": uuid7(),
        "organization": connection.organization_id,
        "connection": connection.pk,
        "url": call.url[:URL_MAX],
        "content_type": call.content_type,
        "body": call.body,
    }
    with database.cursor() as cursor:
        cursor.execute(_KEEP, values)
    noted_at = connection.last_inbound_at
    if noted_at is None or timezone.now() - noted_at > NOTED_AT_MOST_EVERY:
        ChannelConnection.objects.filter(pk=connection.pk).update(last_inbound_at=timezone.now())
    transaction.on_commit(lambda: hints.send(hints.MAIL))
