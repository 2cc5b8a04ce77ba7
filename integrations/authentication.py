"""The one authentication class of the API."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core.http import client_address
from core.secrets import is_well_formed
from integrations.callers import Caller, find_caller
from integrations.guessers import count_guess


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`; a source's key also as `X-Secret-Key`."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        bearer, secret = request.headers.get("Authorization"), request.headers.get("X-Secret-Key")
        if bearer is None and secret is None:
            return None
        key = secret.strip() if secret is not None else ""
        if bearer is not None:
            scheme, _, value = bearer.partition(" ")
            if scheme.lower() != "bearer" or (secret is not None and value.strip() != key):
                raise AuthenticationFailed
            key = value.strip()
        elif not key.startswith("lwr_"):
            raise AuthenticationFailed
        address = client_address(request._request)
        caller = find_caller(key, address, request.headers.get("X-On-Behalf-Of", "").strip())
        if caller is None:
            if is_well_formed(key):
                count_guess(address, key)  # a key that opens something is never refused for what others showed
            raise AuthenticationFailed
        request._request.caller = caller  # type: ignore[attr-defined]
        return caller, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _extension() -> Any:
    from drf_spectacular.extensions import OpenApiAuthenticationExtension

    class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        """Tells drf-spectacular how callers show their key."""

        target_class = KeyAuthentication
        name = "key"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            return {
                "type": "http",
                "scheme": "bearer",
                "description": "A source's secret key (`lwr_...`, also as `X-Secret-Key`), or an API token: of an app"
                " (`lwa_...`), of a member (`lws_...`), or an operator's for several organizations (`lwd_...`), which"
                " names one in `X-On-Behalf-Of`.",
            }

    return KeyScheme


KeyScheme = _extension()
