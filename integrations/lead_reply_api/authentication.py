"""Authentication with the secret key of a Lead Reply API card."""

from __future__ import annotations

from rest_framework.request import Request

from api.authentication import KeyAuthentication
from integrations.lead_reply_api.callers import ReplyKeyCaller, find_reply_key_caller


class ReplyKeyAuthentication(KeyAuthentication):
    """`Authorization: Bearer <key>`, or `X-Secret-Key: <key>`."""

    prefixes = ("lwr_",)
    takes_secret_header = True

    def find(self, key: str, address: str | None, request: Request) -> ReplyKeyCaller | None:
        return find_reply_key_caller(key, address)
