"""What follows for a conversation when somebody wants no more messages, or wants them again."""

from __future__ import annotations

from conversations.models import Conversation, Message
from conversations.services.events import publish_conversation_event
from leads.consent import lift_opt_out, opt_out
from leads.models import Lead, OptOut
from understanding.optout import is_start, stop_word
from webhooks.event_types import EventType


def block(message: Message, conversation: Conversation, reason: OptOut.Reason) -> None:
    """Send nothing more to the address that a message went to. A person can allow it again."""
    channel = message.connection.kind if message.connection else ""
    if channel and opt_out(lead=message.lead, channel=channel, reason=reason):
        publish_conversation_event(EventType.LEAD_OPTED_OUT, conversation)


def obey_stop_words(lead: Lead, conversation: Conversation, text: str, channel: str) -> None:
    """STOP blocks the channel that it came by, and START lifts a STOP."""
    if stop_word(text) and opt_out(lead=lead, channel=channel, reason=OptOut.Reason.STOP):
        publish_conversation_event(EventType.LEAD_OPTED_OUT, conversation)
    elif is_start(text, by_sms=channel == "sms"):
        lift_opt_out(lead=lead, channel=channel, only=OptOut.Reason.STOP)
