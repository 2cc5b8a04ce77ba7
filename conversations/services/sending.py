"""Send one queued message by its channel, and write down what became of it.

The network is used outside any transaction. What was sent is recorded at once, fenced by the claim, so that the only
moment in which a kill can double a mail lies between the server's acceptance and this record.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import DateTimeField, ExpressionWrapper, Value
from django.db.models.functions import Coalesce, Least, Now

from conversations.models import Conversation, Message, StatusChange
from conversations.services.events import publish_conversation_event
from conversations.services.states import advance, record_step
from conversations.services.writing import write
from leads.models import OptOut
from messaging.base import NotSent
from messaging.models import Dispatch
from messaging.registry import CHANNELS
from outbox.claims import Claimed
from outbox.models import Lane, LaneTimer
from webhooks.event_types import EventType

logger = logging.getLogger(__name__)

RECORD_AGAIN_SECONDS = 1
MAY_ARRIVE_TWICE = "It was sent again after an attempt whose outcome is unknown, so it may arrive twice."
# The gap before each attempt to send a message; a temporary refusal after the last one is final.
GAPS = (
    timedelta(0),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=12),
)


def send_claimed(claimed: Claimed) -> None:
    """Send the message of one claimed dispatch. Runs in a thread of the stream; never raises."""
    close_old_connections()
    try:
        _send(claimed)
    except Exception:  # the row comes back when its lease ends
        logger.exception("dispatch %s: not recorded", claimed.id)
    finally:
        close_old_connections()


def _send(claimed: Claimed) -> None:
    message: Any = Message.objects.select_related("lead", "conversation", "connection", "source").get(pk=claimed.id)
    # The attempt before ended with its worker: it left no reason.
    is_doubtful = MAY_ARRIVE_TWICE in message.error_detail or (
        message.status == Message.Status.SENDING and not message.error_detail
    )
    started = Message.objects.filter(pk=message.pk, status__in=[Message.Status.QUEUED, Message.Status.SENDING])
    if not started.update(status=Message.Status.SENDING):
        Dispatch.objects.filter(pk=claimed.id, claim=claimed.claim).delete()
        return
    try:
        if claimed.attempts > len(GAPS):
            raise NotSent("channel.failed", "The worker crashed during every attempt.", is_permanent=True)
        _refuse_unless_wanted(message)
        CHANNELS[message.connection.kind].send(write(message))
    except NotSent as failure:
        doubt = f" {MAY_ARRIVE_TWICE}" if is_doubtful or failure.is_unknown else ""
        _record_failure(claimed, message, failure, doubt)
    else:
        _record_sent(claimed, message, MAY_ARRIVE_TWICE if is_doubtful else "")


def _refuse_unless_wanted(message: Any) -> None:
    """Raise NotSent if the lead opted out, or the channel was disconnected, while the message was queued."""
    if OptOut.objects.of(message.lead).filter(channel=message.connection.kind).exists():
        raise NotSent("lead.optedOut", "The lead does not want messages on this channel.", is_permanent=True)
    if not message.connection.is_connected or message.source.is_archived:
        raise NotSent("channel.notConnected", "The channel was disconnected before this was sent.", is_permanent=True)


def _record_sent(claimed: Claimed, message: Message, note: str) -> None:
    """Write down that the provider took it, however long the database makes us wait: else it would go out again."""
    while True:
        try:
            return _write_sent(claimed, message, note)
        except (OperationalError, InterfaceError) as error:
            logger.warning("message %s was sent; its record waits for the database: %s", message.pk, error)
            close_old_connections()
            time.sleep(RECORD_AGAIN_SECONDS)


@transaction.atomic
def _write_sent(claimed: Claimed, message: Message, note: str) -> None:
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=message.conversation_id)
    if not Dispatch.objects.filter(pk=claimed.id, claim=claimed.claim).delete()[0]:
        return
    advance(message, Message.Status.SENT, detail=note)
    Lane.objects.filter(pk=claimed.lane_id).update(last_ok_at=Now(), failing_since=None, last_error="")
    LaneTimer.objects.filter(pk=claimed.lane_id).update(check_at=Now(), idle_rounds=0)
    publish_conversation_event(EventType.MESSAGE_SENT, conversation, message)


@transaction.atomic
def _record_failure(claimed: Claimed, message: Message, failure: NotSent, doubt: str) -> None:
    """Try again later, or fail for good. While it is tried again the message stays "being sent", with the reason."""
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=message.conversation_id)
    row = Dispatch.objects.filter(pk=claimed.id, claim=claimed.claim)
    detail = failure.detail[: 500 - len(doubt)] + doubt
    if not failure.is_permanent and claimed.attempts < len(GAPS):
        if row.update(claim=None, next_attempt_at=_later(GAPS[claimed.attempts])):
            Message.objects.filter(pk=message.pk).update(error_detail=detail)
            record_step(message, StatusChange.Step.SENDING, code=failure.code, reason=detail)
            Lane.objects.filter(pk=claimed.lane_id).update(
                failing_since=Coalesce("failing_since", Now()),
                last_error=detail[:300],
            )
            LaneTimer.objects.filter(pk=claimed.lane_id).update(
                check_at=Least("check_at", _later(GAPS[claimed.attempts]))
            )
        return
    if row.delete()[0]:
        advance(message, Message.Status.FAILED, code=failure.code, detail=detail)
        LaneTimer.objects.filter(pk=claimed.lane_id).update(check_at=Now(), idle_rounds=0)
        publish_conversation_event(EventType.MESSAGE_FAILED, conversation, message)


def _later(gap: timedelta) -> ExpressionWrapper[Any]:
    """A time by the database's clock."""
    return ExpressionWrapper(Now() + Value(gap), output_field=DateTimeField())
