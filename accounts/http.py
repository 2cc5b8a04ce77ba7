"""What a page's request carries besides what Django gives it."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import Membership, User


class PageRequest(HttpRequest):
    """A request for a page behind the login. Middlewares have set what is declared here.

    `membership` is read from the database when it is first asked for, so it is false, and never `is None`, for a
    person who belongs to no organization.
    """

    user: User
    membership: Membership | None
    htmx: HtmxDetails
