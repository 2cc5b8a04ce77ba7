"""The audit log."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import membership_with
from accounts.http import PageRequest
from accounts.models import AuditEntry
from accounts.reach import reach_of
from accounts.rights import Right

AUDIT_SHOWN = 100


@login_required
@require_safe
def audit(request: PageRequest) -> HttpResponse:
    """Who changed what. Managers who are limited to sources see the lines of those."""
    mine = membership_with(request, Right.CONFIGURE)
    reach = reach_of(request.user, Right.CONFIGURE)
    rows = AuditEntry.objects.filter(organization=mine.organization).filter(
        Q(organization__in=reach.organization_ids) | Q(source_id__in=reach.source_ids)
    )
    return render(request, "accounts/audit_page.html", {"rows": rows.order_by("-id")[:AUDIT_SHOWN]})
