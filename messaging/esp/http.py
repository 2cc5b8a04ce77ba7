"""Requests of django-anymail go out by our own guarded client: no private addresses, no redirects, bounded answers."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import BaseAdapter

from core.http_client import call

SEND_SECONDS = 30.0  # a mail may have 18 MB of files


class GuardedAdapter(BaseAdapter):
    """Makes the calls of a session of requests. Raise NotConnected or NotAnswered, which anymail lets through."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body: Any = request.body
        headers: Any = request.headers
        answer = call(
            request.method or "GET",
            request.url or "",
            headers=dict(headers),
            body=body.encode() if isinstance(body, str) else body,
            seconds=SEND_SECONDS,
        )
        response = requests.Response()
        response.status_code, response._content, response.encoding = answer.status, answer.body, "utf-8"
        response.headers.update(answer.headers)
        response.url, response.request = request.url or "", request
        return response

    def close(self) -> None:
        """Nothing of the session's own is open."""


def guarded_session() -> requests.Session:
    """Return a session whose calls go by our client."""
    session = requests.Session()
    session.trust_env, session.max_redirects = False, 0
    for scheme in ("https://", "http://"):
        session.mount(scheme, GuardedAdapter())
    return session
