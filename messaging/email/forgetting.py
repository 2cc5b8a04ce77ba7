"""Forget mails as they came in: the messages in them stay."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from core.ids import first_id
from messaging.models import InboundMail

AT_ONCE = 200  # rows in one statement; each may be 25 MB


def forget_mails() -> int:
    """Remove mails that are older than MAILS_KEPT_DAYS and were read. Return how many."""
    before = first_id(timezone.now() - timedelta(days=settings.MAILS_KEPT_DAYS))
    old = InboundMail.objects.filter(pk__lt=before).exclude(outcome=InboundMail.Outcome.WAITING).order_by("pk")
    count = 0
    while some := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        count += InboundMail.objects.filter(pk__in=some).delete()[0]
    return count
