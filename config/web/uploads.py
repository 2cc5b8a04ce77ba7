"""Who may send a large body: imports and answers with files from whom we know, uploads by a link, calls with mails."""

from __future__ import annotations

import re
from http.cookies import CookieError
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.wsgi import WSGIRequest
from django.db import InterfaceError, OperationalError, close_old_connections
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from api.authentication import authenticate
from config.web.bodies import Refused, empty
from config.web.environ import Environ
from conversations.models import Attachment
from conversations.services.attachment_links import UPLOAD, file_named_by
from core.problems import Refusal
from messaging.models import ChannelConnection
from messaging.registry import PROVIDERS

API_IMPORT = "/v1/leads/import"
PAGES = re.compile(r"/leads/import/|/inbox/conv_\w{26}/(reply|notes)/", re.ASCII)
PROVIDER_CALLS = re.compile(r"/channels/(\w{26})/(mime)?", re.ASCII)
UPLOADS = "/files/upload/"


def uploader(environ: Environ) -> str:
    """Return who sends a file, where an address takes one and somebody known asks; "" for everybody else.

    What they may do the view decides.

    Raise Refused 503 when the database cannot say.
    """
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    is_link = method == "PUT" and path.startswith(UPLOADS)
    called = PROVIDER_CALLS.fullmatch(path) if method == "POST" else None
    if not (is_link or called) and (method != "POST" or not (path == API_IMPORT or PAGES.fullmatch(path))):
        return ""
    request = WSGIRequest({**environ, "wsgi.input": empty().file, "CONTENT_LENGTH": "0"})
    try:
        if called:
            return _organization_called(called[1])
        if is_link:
            return _organization_of(path.removeprefix(UPLOADS))
        return _key_of(request) if path == API_IMPORT else _person_of(request)
    except (OperationalError, InterfaceError) as error:
        raise Refused(503, "service.unavailable", "The database is not available right now. Try again.") from error
    finally:
        close_old_connections()


def _organization_called(token: str) -> str:
    """Whose provider calls, where its calls bring whole mails."""
    rows = ChannelConnection.objects.active().filter(callback_token=token, disconnected_at=None)
    connection = rows.first()
    # Slots of their own: whoever has the address keeps no import waiting.
    takes_mails = connection is not None and PROVIDERS[connection.provider].takes_mails
    return f"calls of {connection.organization_id}" if connection and takes_mails else ""


def _organization_of(token: str) -> str:
    """Whose file a link takes, until a message has it."""
    named = file_named_by(token, UPLOAD)
    waiting = Attachment.objects.uploads().filter(pk=named).first() if named else None
    return str(waiting.organization_id) if waiting else ""


def _key_of(request: WSGIRequest) -> str:
    try:
        caller = authenticate(Request(request))
    except (APIException, Refusal):
        return ""
    return str(caller.organization_id) if caller else ""


def _person_of(request: WSGIRequest) -> str:
    engine = import_module(settings.SESSION_ENGINE)
    try:
        request.session = engine.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    except CookieError:
        return ""
    person = get_user(request)
    return str(person.pk) if person.is_authenticated else ""
