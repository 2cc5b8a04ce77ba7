"""HTML of mails in a page: in a frame without an origin, from which nothing reaches us, runs, or posts."""

from __future__ import annotations

from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.http import HttpResponse

# Links open outside.
SANDBOX = ["allow-popups", "allow-popups-to-escape-sandbox"]
FRAME = {
    "default-src": [NONE], "script-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": [NONE], "form-action": [NONE],
    "sandbox": SANDBOX, "frame-ancestors": [SELF],
}  # fmt: skip


def framed(response: HttpResponse, *, shows_pictures: bool = False) -> HttpResponse:
    """Give a response the headers of such a frame. Pictures tell their sender that somebody looks."""
    pictures = {"img-src": ["http:", "https:"]} if shows_pictures else {}
    response._csp_replace = {**FRAME, **pictures}  # type: ignore[attr-defined]  # as csp_replace does it
    response["Referrer-Policy"] = "no-referrer"
    return response
