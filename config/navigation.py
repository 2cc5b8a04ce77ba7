"""What every page's frame shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.rights import Right
from conversations.models import Conversation

WAITING_MAX = 99
BELONGS = {"/deliveries/": "/activity/"}  # pages that are part of another place


@dataclass(frozen=True)
class NavigationItem:
    label: str
    url: str
    is_current: bool
    count: str = ""
    count_title: str = "waiting for an answer"


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The main navigation of a member, with how many conversations wait for an answer; and the member's `rights`.

    Templates ask for a right ("own" in rights), never for a role: what a role includes is decided in accounts.
    """
    membership = getattr(request, "membership", None)
    if not membership:
        return {}
    waiting = (
        Conversation.objects.visible_to(request.user)
        .filter(organization=membership.organization_id)
        .waiting()[: WAITING_MAX + 1]
        .count()
    )
    count = f"{WAITING_MAX}+" if waiting > WAITING_MAX else str(waiting or "")
    places = [
        ("Inbox", reverse("inbox:inbox"), count),
        ("Leads", reverse("inbox:leads"), ""),
        ("Sources", reverse("sources:sources"), ""),
        ("Activity", reverse("webhooks:activity"), ""),
        ("Settings", _settings_url(membership), ""),
    ]
    prefix = f"/{request.path.split('/')[1]}/"
    prefix = BELONGS.get(prefix, prefix)
    return {
        "navigation": [NavigationItem(label, url, url.startswith(prefix), n) for label, url, n in places],
        "rights": [right.value for right in Right if membership.may(right)],
        "is_limited": membership.is_limited,  # to some sources
    }


def _settings_url(membership: Any) -> str:
    if membership.may(Right.OWN):
        return reverse("accounts:members")
    return reverse("api:tokens") if membership.may(Right.CONFIGURE) else reverse("accounts:account")
