"""Who may send a large body: imports and answers with files, from whom we know, and uploads by a link of ours."""

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
from conversations.services.attachment_links import UPLOAD, file_named_by
from core.problems import Refusal

API_IMPORT = "/v1/leads/import"
PAGES = re.compile(r"/leads/import/|/inbox/conv_\w{26}/(reply|notes)/", re.ASCII)
UPLOADS = "/files/upload/"


def may_upload(environ: Environ) -> bool:
    """True for the addresses that take a file, when somebody known asks. What they may do the view decides.

    Raise Refused 503 when the database cannot say.
    """
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if method == "PUT" and path.startswith(UPLOADS):
        return file_named_by(path.removeprefix(UPLOADS), UPLOAD) is not None
    if method != "POST" or not (path == API_IMPORT or PAGES.fullmatch(path)):
        return False
    request = WSGIRequest({**environ, "wsgi.input": empty().file, "CONTENT_LENGTH": "0"})
    try:
        return _shows_a_key(request) if path == API_IMPORT else _is_logged_in(request)
    except (OperationalError, InterfaceError) as error:
        raise Refused(503, "service.unavailable", "The database is not available right now. Try again.") from error
    finally:
        close_old_connections()


def _shows_a_key(request: WSGIRequest) -> bool:
    try:
        return authenticate(Request(request)) is not None
    except (APIException, Refusal):
        return False


def _is_logged_in(request: WSGIRequest) -> bool:
    engine = import_module(settings.SESSION_ENGINE)
    try:
        request.session = engine.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    except CookieError:
        return False
    return get_user(request).is_authenticated
