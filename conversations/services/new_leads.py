"""POST /v1/leads: create a lead, or find it, and open a conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from accounts.models import Membership, Source
from conversations.models import Message
from conversations.services.arrivals import Arrived, InboundContent, arrive
from conversations.services.notifications import notify_team
from conversations.services.replies import Author, Reply, send_reply
from conversations.services.team_texts import sms_of, text_team
from core.problems import Invalid, Refusal
from core.text import as_text, list_data
from leads.custom_fields import coerce
from leads.models import OptOut
from leads.services import Details, Identified, identify_by
from messaging.models import ChannelConnection

AUTO_REPLY, TEAM_EMAIL, TEAM_SMS = "auto-reply", "email", "sms"
NOTIFICATIONS = (AUTO_REPLY, TEAM_EMAIL, TEAM_SMS)
THANKS = "Thank you for your message. We have received it and will get back to you soon."


@dataclass
class NewLead:
    """What a caller says of a lead that arrives."""

    identifier: str  # "email" or "unique_id"
    title: str
    details: Details
    message_data: dict[str, Any] = field(default_factory=dict)
    request_data: dict[str, Any] = field(default_factory=dict)
    system_message: str = ""
    notifications: list[str] = field(default_factory=list)


def create_lead(*, source: Source, new: NewLead) -> tuple[Arrived, bool]:
    """Create or find the lead and open a conversation, in the caller's transaction. Return whether the lead is new too.

    Raise Refusal `lead.identifierConflict` or `notification.unavailable`: then the caller rolls back.
    """
    refuse_unavailable(source, new)
    new.details.custom_fields = custom_fields_of(source, new.request_data)
    who = identify_by(new.identifier, source=source, details=new.details)
    words = InboundContent(
        content=list_data(new.message_data | new.request_data) or new.title,
        title=new.title,
        connection=website_of(source),
        opens_conversation=True,
    )
    arrived = arrive(source=source, who=who, words=words)
    if new.system_message:
        add_note(arrived, new.system_message)
    follow(arrived, who, new.notifications)
    return arrived, who.is_created


def custom_fields_of(source: Source, request_data: dict[str, Any]) -> dict[str, Any]:
    """What is kept of `request_data`. Raise Invalid for what a defined custom field cannot hold."""
    as_words = {name: as_text(value) for name, value in request_data.items()}
    coerced, errors = coerce(source.organization_id, as_words)
    if errors:
        raise Invalid(
            [
                {"pointer": f"#/request_data/{name}", "detail": detail, "code": "value"}
                for name, detail in errors.items()
            ]
        )
    return coerced


def refuse_unavailable(source: Source, new: NewLead) -> None:
    """Refuse a notification whose channel is not set up, before anything is written."""
    for notification in new.notifications:
        if not _is_available(notification, source):
            raise Refusal(422, "notification.unavailable", f"The channel of “{notification}” is not set up.")


def _is_available(notification: str, source: Source) -> bool:
    if notification == AUTO_REPLY:
        return ChannelConnection.objects.filter(source=source, kind="email", disconnected_at=None).exists()
    if notification == TEAM_EMAIL:
        return Membership.objects.active().filter(organization=source.organization_id).exists()
    return notification != TEAM_SMS or sms_of(source) is not None


def follow(arrived: Arrived, who: Identified, notifications: list[str]) -> None:
    """Thank the lead, tell the team: as asked."""
    lead = who.lead
    if AUTO_REPLY in notifications and lead.email:
        blocked = OptOut.objects.of(lead).filter(channel="email").exists()
        if not blocked:
            author = Author(Message.Author.AUTOMATION, "Automatic thank-you")
            send_reply(lead_id=lead.pk, reply=Reply(THANKS, arrived.conversation.pk), author=author)
    if TEAM_EMAIL in notifications:
        notify_team(arrived.conversation)
    if TEAM_SMS in notifications:
        text_team(arrived.conversation)


def add_note(arrived: Arrived, text: str) -> Message:
    """Write a note for the team: never sent, never quoted, in webhooks only if chosen."""
    return Message.objects.create(
        organization_id=arrived.lead.organization_id,
        source_id=arrived.lead.source_id,
        lead=arrived.lead,
        conversation=arrived.conversation,
        kind=Message.Kind.NOTE,
        direction=Message.Direction.INBOUND,
        author=Message.Author.API,
        author_name="System",
        content=text,
        status=Message.Status.RECEIVED,
    )


def website_of(source: Source) -> ChannelConnection | None:
    return ChannelConnection.objects.filter(source=source, kind="website").first()
