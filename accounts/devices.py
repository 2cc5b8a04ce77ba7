"""Browsers in which somebody has logged in before: strangers who guess cannot lock these out."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

COOKIE, SALT = "device", "accounts.devices"
LASTS = timedelta(days=365)


def remember(response: HttpResponse, email: str) -> None:
    """Mark the browser as one in which this person has logged in."""
    value = signing.dumps([_digest(email), secrets.token_hex(8)], salt=SALT)
    response.set_cookie(
        COOKIE,
        value,
        max_age=LASTS,
        path="/accounts/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def device_of(request: HttpRequest, email: str) -> str:
    """Return the name of a browser in which this person has logged in; "" for any other."""
    try:
        digest, device = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=LASTS)
    except (signing.BadSignature, ValueError, TypeError):
        return ""
    return str(device) if digest == _digest(email) else ""


def _digest(email: str) -> str:
    return hashlib.sha256(email.lower().encode("utf-8", "replace")).hexdigest()
