"""What a page asks first: may this person do that, in the organization that they look at?"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied

from accounts.http import PageRequest
from accounts.models import Membership
from accounts.rights import Right


def membership_with(request: PageRequest, right: Right) -> Membership:
    """Return the person's current membership. Raise PermissionDenied when it does not have this right."""
    membership: Membership | None = request.membership or None
    if membership is None or not membership.may(right):
        raise PermissionDenied(f"Your role does not include: {right.label.lower()}.")
    return membership
