"""Send one queued message by its channel, and write down what became of it.

The network is used outside any transaction. What was sent is recorded at once, fenced by the claim, so that the only
moment in which a kill can double a mail lies between the server's acceptance and this record.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Coalesce, Least, Now

from conversations.models import Conversation, Message, StatusChange
from conversations.services.consent import block
from conversations.services.events import publish_conversation_event
from conversations.services.states import advance, record_step
from conversations.services.templates import template_of
from conversations.services.writing import write
from conversations.window import is_window_open
from leads.models import OptOut
from messaging.accounts import account_of
from messaging.failures import UNKNOWN, NotSent, may_have_been_sent
from messaging.models import Dispatch
from messaging.pairs import take_turn
from messaging.registry import CHANNELS, PROVIDERS
from outbox.claims import Claimed
from outbox.models import Lane, LaneTimer
from outbox.wakes import wake_freed
from webhooks.event_types import EventType

logger = logging.getLogger(__name__)

RECORD_AGAIN_SECONDS = 1
OK_NOTED_EVERY = timedelta(seconds=5)
RETRY_AFTER_MAX = 86_400  # seconds that a provider may ask us to wait
MAY_HAVE_BEEN_SENT = (
    "An attempt ended before its outcome was known, so it may have been sent. Send it again if it has not arrived."
)
MAY_ARRIVE_TWICE = "It was sent again after an attempt whose outcome is unknown, so it may arrive twice."
# The gap before each attempt to send a message; a temporary refusal after the last one is final.
GAPS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    *[timedelta(hours=hours) for hours in (1, 2, 4, 8, 8)],  # until a day has passed
)


# The account is loaded where there is one: a join of every provider costs each mail of the installation too.
LOADED = ("lead", "conversation", "source", "connection", "connection__mail_settings")


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
    message: Any = Message.objects.select_related(*LOADED).get(pk=claimed.id)
    provider = PROVIDERS[message.connection.provider]
    if provider.pair_limit and (opens_at := take_turn(claimed.lane_id, message.lead_id, provider.pair_limit)):
        channel, seconds = CHANNELS[message.connection.kind].label, provider.pair_limit.seconds
        detail = f"{channel} takes one message to a person in {seconds:g} seconds. This one waits its turn."
        return _put_back(claimed, message, opens_at, detail)
    was_dialled = _begin(claimed)
    if was_dialled is None:
        return
    try:
        if claimed.attempts > len(GAPS):
            raise NotSent("channel.failed", "The worker crashed during every attempt.", is_permanent=True)
        _refuse_unless_wanted(message)
        if was_dialled and not provider.may_send_again:
            raise may_have_been_sent("An attempt ended before its outcome was known")
        provider_id = provider.send(account_of(message.connection), write(message))
    except NotSent as failure:
        is_doubtful = failure.code != UNKNOWN and (was_dialled or failure.is_unknown)
        _record_failure(claimed, message, failure, is_doubtful=is_doubtful)
    else:
        _record_sent(claimed, message, provider_id, MAY_ARRIVE_TWICE if was_dialled else "")


@transaction.atomic
def _put_back(claimed: Claimed, message: Message, opens_at: datetime, detail: str) -> None:
    """Let a message wait that the provider would not take from us yet. It was no attempt."""
    row = Dispatch.objects.filter(pk=claimed.id, claim=claimed.claim)
    if row.update(claim=None, attempts=F("attempts") - 1, next_attempt_at=opens_at):
        Message.objects.filter(pk=message.pk).update(error_detail=detail)
        LaneTimer.objects.filter(pk=claimed.lane_id).update(check_at=Least("check_at", opens_at))


# One statement, which commits by itself: from then on the provider may have the message. Of a message that is not to be
# sent any more only the work row goes.
_BEGIN = """
WITH row AS (
    SELECT id, dialled_at FROM messaging_dispatch WHERE id = %(id)s AND claim = %(claim)s FOR UPDATE
), started AS (
    UPDATE conversations_message m SET status = 'sending' FROM row
    WHERE m.id = row.id AND m.status IN ('queued', 'sending') RETURNING m.id
), dialled AS (
    UPDATE messaging_dispatch d SET dialled_at = coalesce(d.dialled_at, now()) FROM row, started WHERE d.id = row.id
), ended AS (
    DELETE FROM messaging_dispatch d USING row WHERE d.id = row.id AND NOT EXISTS (SELECT FROM started)
)
SELECT row.dialled_at IS NOT NULL FROM row, started
"""


def _begin(claimed: Claimed) -> bool | None:
    """Write down that the provider may have the message from now on.

    Return whether that was written before: an attempt ended and nobody knows how. None when there is nothing to send.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"id": claimed.id, "claim": claimed.claim})
        row = cursor.fetchone()
    return bool(row[0]) if row else None


def _refuse_unless_wanted(message: Any) -> None:
    """Raise NotSent if the message may not be sent any more: the lead opted out, or the channel was disconnected."""
    if OptOut.objects.of(message.lead).filter(channel=message.connection.kind).exists():
        raise NotSent("lead.optedOut", "The lead does not want messages on this channel.", is_permanent=True)
    if not message.connection.is_connected or message.source.is_archived:
        raise NotSent("channel.notConnected", "The channel was disconnected before this was sent.", is_permanent=True)
    channel = CHANNELS[message.connection.kind]
    if (
        channel.window
        and not template_of(message)
        and not is_window_open(channel, message.connection_id, message.lead_id)
    ):
        detail = "More than 24 hours had passed since the lead's last message. Send a template instead."
        raise NotSent("channel.outsideWindow", detail, is_permanent=True)


def _record_sent(claimed: Claimed, message: Message, provider_id: str, note: str) -> None:
    """Write down that the provider took it, however long the database makes us wait: else it would go out again."""
    while True:
        try:
            return _write_sent(claimed, message, provider_id, note)
        except (OperationalError, InterfaceError) as error:
            logger.warning("message %s was sent; its record waits for the database: %s", message.pk, error)
            close_old_connections()
            time.sleep(RECORD_AGAIN_SECONDS)


@transaction.atomic
def _write_sent(claimed: Claimed, message: Message, provider_id: str, note: str) -> None:
    conversation = Conversation.objects.locked(message.conversation_id)
    if Dispatch.objects.filter(pk=claimed.id, claim=claimed.claim).delete()[0]:
        mark_sent(message, conversation, provider_id, note=note)
        wake_freed(Lane.Kind.CHANNEL, claimed.lane_id, claimed.claimed_at)


def mark_sent(message: Message, conversation: Conversation, provider_id: str, *, note: str = "") -> None:
    """The provider has taken a message. Its conversation's row is locked, its work row is gone."""
    channel = message.connection
    if channel and advance(message, Message.Status.SENT, detail=note, external_id=provider_id):
        publish_conversation_event(EventType.MESSAGE_SENT, conversation, message)
        _note_health(channel.lane_id)


def _note_health(lane_id: UUID) -> None:
    """Write that the lane works, last of all and not each time: all its messages write to this one row."""
    rows = Lane.objects.filter(pk=lane_id)
    stale = Q(last_ok_at=None) | Q(last_ok_at__lt=Now() - OK_NOTED_EVERY) | Q(failing_since__isnull=False)
    if rows.filter(stale).exists():
        rows.update(last_ok_at=Now(), failing_since=None, last_error="")


@transaction.atomic
def _record_failure(claimed: Claimed, message: Message, failure: NotSent, *, is_doubtful: bool) -> None:
    """Try again later, or fail for good. While it is tried again the message stays "being sent", with the reason."""
    conversation = Conversation.objects.locked(message.conversation_id)
    row = Dispatch.objects.filter(pk=claimed.id, claim=claimed.claim)
    doubt = f" {MAY_ARRIVE_TWICE}" if is_doubtful else ""
    detail = failure.detail[: 500 - len(doubt)] + doubt
    if not failure.is_permanent and claimed.attempts < len(GAPS):
        again_at = _later(
            max(GAPS[claimed.attempts], timedelta(seconds=min(failure.retry_after or 0, RETRY_AFTER_MAX)))
        )
        # What the provider certainly has not taken may be sent as if for the first time.
        kept = {} if is_doubtful else {"dialled_at": None}
        if row.update(claim=None, next_attempt_at=again_at, **kept):
            Message.objects.filter(pk=message.pk).update(error_detail=detail)
            record_step(message, StatusChange.Step.SENDING, code=failure.code, reason=detail)
            _note_trouble(claimed, failure.detail)
            LaneTimer.objects.filter(pk=claimed.lane_id).update(check_at=Least("check_at", again_at))
        return
    if row.delete()[0]:
        advance(message, Message.Status.FAILED, code=failure.code, detail=detail)
        wake_freed(Lane.Kind.CHANNEL, claimed.lane_id, claimed.claimed_at)
        publish_conversation_event(EventType.MESSAGE_FAILED, conversation, message)
        if failure.has_opted_out:
            block(message, conversation, OptOut.Reason.STOP)


def _note_trouble(claimed: Claimed, detail: str) -> None:
    Lane.objects.filter(pk=claimed.lane_id).update(
        failing_since=Coalesce("failing_since", Now()),
        last_error=detail[:300],
    )


def _later(gap: timedelta) -> ExpressionWrapper[Any]:
    """A time by the database's clock."""
    return ExpressionWrapper(Now() + Value(gap), output_field=DateTimeField())
