from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts.models import Membership, User

SESSION_KEY = "organization"


class CurrentMembership:
    """Say which organization's lists a page shows: the one chosen last, else the person's first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        timezone.deactivate()  # the person of this thread's request before may live elsewhere
        request.membership = SimpleLazyObject(lambda: current_membership(request))  # type: ignore[attr-defined]
        return self.get_response(request)


def current_membership(request: HttpRequest) -> Membership | None:
    if not isinstance(request.user, User):
        return None
    timezone.activate(request.user.time_zone)
    mine = request.user.current_memberships
    chosen = request.session.get(SESSION_KEY)
    return next(
        (membership for membership in mine if str(membership.organization_id) == chosen), mine[0] if mine else None
    )
