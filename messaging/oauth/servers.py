"""The authorization servers of mailboxes: where a person consents, and where tokens come from.

OAuth 2.0 (RFC 6749) with PKCE (RFC 7636). Who signs in is told by OpenID Connect's id token, which comes straight from
the token endpoint over TLS, so its signature need not be checked (Core 1.0, 3.1.3.7).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from core.http_client import Answer, NotAnswered, NotConnected, call
from messaging.addresses import is_email, normalize_email
from messaging.failures import NotSent

TOKEN_SECONDS = 8.0  # a person waits, or a message
LASTS_AT_LEAST, LASTS_AT_MOST = 60, 86_400  # seconds that we believe of a token


@dataclass(frozen=True)
class Tokens:
    """What a token endpoint gave out. `refresh_token`: "" where the one before stays."""

    access_token: str
    refresh_token: str
    lasts: int  # seconds
    address: str = ""  # of the mailbox that consented


class GrantEnded(Exception):
    """The permission is over: it was taken back, or has run out. A person has to give it again."""


@dataclass(frozen=True)
class AuthorizationServer:
    """One of `settings.OAUTH_MAILBOXES`."""

    label: str
    client_id: str
    client_secret: str
    authorize_url: str
    token_url: str
    scopes: str
    parameters: dict[str, str]

    @property
    def origin(self) -> str:
        parts = urlsplit(self.authorize_url)
        return f"{parts.scheme}://{parts.netloc}"

    def consent_url(self, *, state: str, verifier: str, redirect_uri: str) -> str:
        """Return the page on which a person lets us use their mailbox."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.scopes,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **self.parameters,
        }
        return f"{self.authorize_url}?{urlencode(query)}"

    def redeem(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """Return the tokens for the code that came back. Raise NotSent or GrantEnded."""
        fields = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return self._ask({**fields, "redirect_uri": redirect_uri})

    def refresh(self, refresh_token: str) -> Tokens:
        """Return new tokens. Raise NotSent where it may go later, GrantEnded where it never will."""
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def _ask(self, fields: dict[str, str]) -> Tokens:
        body = urlencode({**fields, "client_id": self.client_id, "client_secret": self.client_secret}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            answer = call("POST", self.token_url, headers=headers, body=body, seconds=TOKEN_SECONDS)
        except (NotConnected, NotAnswered) as error:
            raise self._failure(f"could not be reached: {error}") from error
        if answer.json.get("error") == "invalid_grant":
            raise GrantEnded
        access_token = answer.json.get("access_token")
        if answer.status != 200 or not isinstance(access_token, str) or not access_token:
            raise self._failure(f"gave out no token: {_said(answer)}")
        return _tokens(answer.json, access_token)

    def _failure(self, what: str) -> NotSent:
        return NotSent("channel.failed", f"{self.label} {what}"[:300], is_permanent=False)


def server_of(slug: str) -> AuthorizationServer:
    """Return the authorization server of a provider."""
    values = settings.OAUTH_MAILBOXES[slug]
    return AuthorizationServer(**{name: values[name] for name in AuthorizationServer.__dataclass_fields__})


def _tokens(values: dict[str, Any], access_token: str) -> Tokens:
    lasts, refresh_token = values.get("expires_in"), values.get("refresh_token")
    return Tokens(
        access_token,
        refresh_token if isinstance(refresh_token, str) else "",
        min(max(int(lasts), LASTS_AT_LEAST), LASTS_AT_MOST) if isinstance(lasts, int | float) else LASTS_AT_LEAST,
        _address_in(values.get("id_token")),
    )


def _address_in(id_token: object) -> str:
    """Return the mail address that an id token names; "" where it names none."""
    try:
        payload = str(id_token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return ""
    if not isinstance(claims, dict):
        return ""
    address = normalize_email(str(claims.get("email") or claims.get("preferred_username") or ""))
    return address if is_email(address) else ""


def _said(answer: Answer) -> str:
    words = answer.json.get("error_description") or answer.json.get("error") or f"status {answer.status}"
    return " ".join(str(words).split())[:200]
