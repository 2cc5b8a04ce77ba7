"""Who may send a large body: the import of leads takes one, from somebody who is logged in or shows a key."""

from __future__ import annotations

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
from core.problems import Refusal

API_IMPORT, PAGE_IMPORT = "/v1/leads/import", "/leads/import/"


def may_upload(environ: Environ) -> bool:
    """True for the two addresses that take a file, when somebody known asks. What they may do the view decides.

    Raise Refused 503 when the database cannot say.
    """
    if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] not in (API_IMPORT, PAGE_IMPORT):
        return False
    request = WSGIRequest({**environ, "wsgi.input": empty().file, "CONTENT_LENGTH": "0"})
    try:
        return _shows_a_key(request) if environ["PATH_INFO"] == API_IMPORT else _is_logged_in(request)
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
