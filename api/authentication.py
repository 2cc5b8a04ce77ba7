"""Find out who calls: by the key that the call shows."""

from __future__ import annotations

from abc import abstractmethod

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.settings import api_settings

from api.callers import Caller, find_token_caller
from api.context import context_of
from api.guessing import count_guess
from core.http import client_address
from core.secrets import is_well_formed


class KeyAuthentication(BaseAuthentication):
    """One kind of key. DRF asks each kind in turn (settings, DEFAULT_AUTHENTICATION_CLASSES)."""

    prefixes: tuple[str, ...]
    takes_secret_header = False  # the key may also stand in X-Secret-Key

    @abstractmethod
    def find(self, key: str, address: str | None, request: Request) -> Caller | None:
        """Return whose key this is, or None when it opens nothing."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        key = self._key_of(request)
        if key is None or not key.startswith(self.prefixes):
            return None
        if not is_well_formed(key):
            raise AuthenticationFailed
        address = client_address(request._request)
        caller = self.find(key, address, request)
        if caller is None:
            count_guess(address, key)  # a key that opens something is never refused for what others showed
            raise AuthenticationFailed
        context_of(request).caller = caller
        return caller, None

    def _key_of(self, request: Request) -> str | None:
        """Return the key that the call shows. Raise AuthenticationFailed for two that differ."""
        bearer, secret = request.headers.get("Authorization"), request.headers.get("X-Secret-Key")
        if bearer is None:
            return secret.strip() if secret is not None and self.takes_secret_header else None
        scheme, _, key = bearer.partition(" ")
        if scheme.lower() != "bearer" or (secret is not None and secret.strip() != key.strip()):
            raise AuthenticationFailed
        return key.strip()

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TokenAuthentication(KeyAuthentication):
    """API tokens: `Authorization: Bearer <token>`."""

    prefixes = ("lwa_", "lws_", "lwd_")

    def find(self, key: str, address: str | None, request: Request) -> Caller | None:
        return find_token_caller(key, address, request.headers.get("X-On-Behalf-Of", "").strip())


def authenticate(request: Request) -> Caller | None:
    """Return who calls, asking each kind of key; None when the call shows no key that any of them knows.

    Raise AuthenticationFailed, or Refusal.
    """
    classes: list[type[KeyAuthentication]] = api_settings.DEFAULT_AUTHENTICATION_CLASSES  # type: ignore[assignment]
    for authentication in classes:
        if identified := authentication().authenticate(request):
            return identified[0]
    return None
