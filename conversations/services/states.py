"""The states of an outbound message: they only move forward, and each step is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from conversations.models import Message, StatusChange
from messaging.failures import UNKNOWN

Status, Step = Message.Status, StatusChange.Step
REASON_MAX = 500  # characters
# From which states a message may come to each.
BEFORE: dict[Message.Status, list[Message.Status]] = {
    Status.SENT: [Status.SENDING],
    Status.DELIVERED: [Status.SENT],
    Status.READ: [Status.SENT, Status.DELIVERED],
    Status.FAILED: [Status.SENDING, Status.SENT, Status.DELIVERED, Status.READ],
}
MOMENTS = {Status.SENT: "sent_at", Status.DELIVERED: "delivered_at", Status.READ: "read_at"}


def advance(
    message: Message,
    to: Message.Status,
    *,
    code: str = "",
    detail: str = "",
    provider_at: datetime | None = None,
    external_id: str = "",
) -> bool:
    """Move a message to a state, if it may come there from where it is. Return whether it did.

    Its conversation's row is locked. `detail` is what a person reads on the message.
    """
    columns: dict[str, Any] = {"status": to, "error_code": code, "error_detail": detail[:REASON_MAX]}
    if external_id:  # the provider's
        columns["external_id"] = external_id
    if to in MOMENTS:
        columns[MOMENTS[to]] = timezone.now()
    may_come = Q(status__in=BEFORE[to])
    if to in MOMENTS:  # the one way back: the provider says later that it has what may have been sent
        may_come |= Q(status=Status.FAILED, error_code=UNKNOWN)
    if not Message.objects.filter(may_come, pk=message.pk).update(**columns):
        return False
    record_step(message, Step(to.value), code=code, reason=detail, provider_at=provider_at)
    for name, value in columns.items():
        setattr(message, name, value)
    return True


def record_step(
    message: Message, step: StatusChange.Step, *, code: str = "", reason: str = "", provider_at: datetime | None = None
) -> None:
    """Record a step that changes no state: another attempt, a delay, a complaint."""
    StatusChange.objects.create(
        message=message, step=step, code=code, reason=reason[:REASON_MAX], provider_at=provider_at
    )
