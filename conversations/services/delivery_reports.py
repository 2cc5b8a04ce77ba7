"""Apply delivery reports to our messages: bounces, delays, deliveries, spam complaints."""

from __future__ import annotations

from conversations.models import Conversation, Message, StatusChange
from conversations.services.consent import block
from conversations.services.events import publish_conversation_event
from conversations.services.origins import messages_by
from conversations.services.received_replies import record_bounce
from conversations.services.states import REASON_MAX, advance, record_step
from core.ids import decode
from leads.models import OptOut
from messaging.addresses import normalize_email
from messaging.models import ChannelConnection
from understanding.bounces import Report
from understanding.report_kinds import Kind
from webhooks.event_types import EventType


class StillSending(Exception):
    """The report arrived before the message was recorded as sent. The job tries again."""


def take_report(connection: ChannelConnection, report: Report) -> Message | None:
    """Apply a report. Return the message that it is about; None when it names none of ours.

    Only our own unguessable id names a message: anybody can write that a mail to somebody else came back.
    Raise StillSending when that message is not yet recorded as sent.
    """
    own = decode("msg", report.message)
    rows = messages_by(connection).filter(pk__in=[own] if own else [])
    message = rows.select_related("lead").first()
    if message is None:
        return None
    conversation = Conversation.objects.locked(message.conversation_id)
    message.refresh_from_db(fields=["status"])
    if message.status == Message.Status.SENDING:
        raise StillSending(message.public_id)
    apply_report(message, conversation, report)
    return message


def apply_report(message: Message, conversation: Conversation, report: Report) -> None:
    """Do what follows from a report on a message that has gone out. The conversation's row is locked."""
    if report.kind == Kind.BOUNCE:
        _came_back(message, conversation, report)
    elif report.kind == Kind.DELIVERED:
        _arrived(message, conversation)
    elif report.kind == Kind.DELAY:
        _note_once(message, StatusChange.Step.DELAYED, _in_words(report))
    elif report.kind == Kind.COMPLAINT:
        _note_once(message, StatusChange.Step.COMPLAINT)
        block(message, conversation, OptOut.Reason.COMPLAINT)


def _note_once(message: Message, step: StatusChange.Step, reason: str = "") -> None:
    """Providers say the same more than once."""
    reason = reason[:REASON_MAX]
    if not StatusChange.objects.filter(message=message, step=step, reason=reason).exists():
        record_step(message, step, reason=reason)


def _came_back(message: Message, conversation: Conversation, report: Report) -> None:
    if advance(message, Message.Status.FAILED, code="channel.bounced", detail=_in_words(report)):
        publish_conversation_event(EventType.MESSAGE_BOUNCED, conversation, message)
        record_bounce(conversation, message)
    # Also where it had failed: a server may be full at first, and then say that the address does not exist.
    is_this_address = not report.recipients or normalize_email(message.lead.email) in report.recipients
    if report.is_hard and is_this_address:
        block(message, conversation, OptOut.Reason.BOUNCE)


def _in_words(report: Report) -> str:
    return f"{report.status} {report.reason}" if report.status and report.status not in report.reason else report.reason


def _arrived(message: Message, conversation: Conversation) -> None:
    if advance(message, Message.Status.DELIVERED):
        publish_conversation_event(EventType.MESSAGE_DELIVERED, conversation, message)
