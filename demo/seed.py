"""Fill an empty installation with the demo: two organizations, their people, sources, leads and traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM, Actor
from accounts.models import Membership, Organization, Source, SourceAccess, User
from accounts.rights import Role
from conversations.models import Conversation, Message
from conversations.services.arrivals import draft_event, last_words
from core.ids import uuid7
from demo.accounts import LOGIN, PASSWORD
from demo.stories import STORIES, Story
from integrations import services as cards
from leads.models import Lead, OptOut
from leads.services import opt_out
from sources.services import create_source
from webhooks.event_types import EventType
from webhooks.models import Attempt
from webhooks.publishing import publish

MINUTES_BETWEEN = 17


@dataclass(frozen=True)
class Secrets:
    """What the demo's CRM needs."""

    key: str
    signing_secret: str


@transaction.atomic
def seed(crm_url: str) -> Secrets:
    """Make everything, or nothing."""
    northside, harbor = (Organization.objects.create(name=name) for name in ("Northside", "Harbor Dental"))
    owner = _person(LOGIN, "Dana Reed", northside, Role.OWNER)
    agent = _person("alex@northside.example", "Alex Kim", northside, Role.AGENT)
    manager = _person("maya@northside.example", "Maya Lopez", northside, Role.MANAGER)
    dentist = _person("rey@harbor.example", "Rey Santos", harbor, Role.OWNER)
    operator = User.objects.create_superuser("operator@leadwire.example", PASSWORD, name="Operator")
    operator.save()
    places = _places(northside, harbor, Actor("Dana Reed", owner), Actor("Rey Santos", dentist))
    _limit(manager, places["Westgate"])
    staff = {northside.pk: agent, harbor.pk: dentist}
    for story in sorted(STORIES, key=lambda story: -story.hours_ago):
        source = places[story.place]
        _tell(story, source, staff[source.organization_id])
    return _connect(places, Actor("Dana Reed", owner), crm_url)


def _person(email: str, name: str, organization: Organization, role: str) -> User:
    user = User.objects.create_user(email, PASSWORD, name=name)
    Membership.objects.create(organization=organization, user=user, role=role)
    return user


def _limit(user: User, source: Source) -> None:
    membership = Membership.objects.get(user=user)
    membership.limited_at = timezone.now()
    membership.save(update_fields=["limited_at"])
    SourceAccess.objects.create(membership=membership, source=source)


def _places(northside: Organization, harbor: Organization, dana: Actor, rey: Actor) -> dict[str, Source]:
    zone = "America/Los_Angeles"
    business = create_source(organization=northside, actor=dana, name="Northside Plumbing", time_zone=zone)
    places = {business.name: business}
    for name in ("Eastgate", "Westgate", "Riverside"):
        places[name] = create_source(organization=northside, actor=dana, name=name, parent=business, time_zone=zone)
    places["Harbor Dental"] = create_source(organization=harbor, actor=rey, name="Harbor Dental", time_zone=zone)
    return places


def _tell(story: Story, source: Source, staff: User) -> None:
    start = timezone.now() - timedelta(hours=story.hours_ago)
    lead = Lead(
        id=uuid7(start),
        organization_id=source.organization_id,
        source=source,
        first_name=story.first_name,
        last_name=story.last_name,
        email=story.email,
        contact_captured_at=start,
        created_at=start,
        updated_at=start,
        last_message_at=start,
    )
    lead.set_phone(story.phone)
    lead.save(force_insert=True)
    connections = {connection.kind: connection for connection in source.connections.all()}
    conversation = Conversation.objects.create(
        id=uuid7(start),
        organization_id=source.organization_id,
        source=source,
        lead=lead,
        title=story.title,
        connection=connections[story.channel],
        created_at=start,
    )
    step = timedelta(minutes=min(MINUTES_BETWEEN, story.hours_ago * 50 / len(story.said)))
    by_lead = False
    for index, words in enumerate(story.said):
        speaker = _speaker(words)
        if speaker != "note":
            by_lead = not by_lead and not speaker
        _say(conversation, lead, staff, words, by_lead and not speaker, start + step * index, connections, story)
    if story.state == "closed":
        conversation.closed_at, conversation.closed_by = conversation.last_message_at + step, staff
        conversation.unread_at = conversation.waiting_since = None
    if story.state == "blocked":
        opt_out(lead=lead, channel="email", reason=OptOut.Reason.UNSUBSCRIBE)
    conversation.save()


def _speaker(words: str) -> str:
    head, colon, _ = words.partition(":")
    return head if colon and head in ("api", "auto", "us", "note") else ""


def _say(
    conversation: Conversation,
    lead: Lead,
    staff: User,
    words: str,
    by_lead: bool,
    at: datetime,
    connections: dict[str, Any],
    story: Story,
) -> None:
    speaker = _speaker(words)
    content = words.removeprefix(f"{speaker}:") if speaker else words
    author = {"api": "api", "auto": "automation", "note": "staff", "us": "staff"}.get(
        speaker, "lead" if by_lead else "staff"
    )
    names = {"lead": lead.name, "staff": staff.name, "api": "Lead Reply API", "automation": "Automatic thank-you"}
    is_out = not by_lead and speaker != "note"
    is_last = content == story.said[-1]
    status = "sent" if is_out else "received"
    if is_out and is_last and story.state in ("failed", "queued"):
        status = story.state
    message = Message.objects.create(
        id=uuid7(at),
        organization_id=conversation.organization_id,
        source_id=conversation.source_id,
        lead=lead,
        conversation=conversation,
        connection=None if speaker == "note" else connections["email" if is_out else story.channel],
        kind="note" if speaker == "note" else "message",
        direction="outbound" if is_out else "inbound",
        author=author,
        author_name=names[author],
        author_user=staff if author == "staff" else None,
        content=content,
        status=status,
        error_code="channel.refused" if status == "failed" else "",
        error_detail="The mail server refused it: 550 5.1.1 no such user here" if status == "failed" else "",
        created_at=at,
        sent_at=at if status == "sent" else None,
    )
    if status == "queued":
        _queue(message)
    if speaker == "note":
        return
    conversation.last_message_at, conversation.last_message_id = at, message.pk
    conversation.last_words, conversation.last_direction = last_words(content), message.direction
    conversation.connection = message.connection
    if by_lead:
        conversation.lead_connection = message.connection
    conversation.waiting_since = at if by_lead else None
    conversation.unread_at = at if by_lead else None


def _queue(message: Message) -> None:
    from messaging.models import Dispatch

    assert message.connection is not None  # noqa: S101  outbound messages have one
    Dispatch.objects.create(
        id=message.pk,
        lane_id=message.connection.lane_id,
        organization_id=message.organization_id,
        source_id=message.source_id,
    )


def _connect(places: dict[str, Source], dana: Actor, crm_url: str) -> Secrets:
    """The business talks to the demo's CRM, one location inherits that, another one's webhook fails."""
    business, eastgate, riverside = places["Northside Plumbing"], places["Eastgate"], places["Riverside"]
    webhook = cards.set_up(card=business.restwebhook, actor=dana, url=f"{crm_url}/leadwire").secrets
    key = cards.set_up(card=business.leadreplyapi, actor=dana).secrets["Secret key"]
    for card in (business.restwebhook, business.leadreplyapi):
        cards.switch(card=card, on=True, actor=dana)
    for card in (eastgate.restwebhook, eastgate.leadreplyapi):
        cards.set_inherits(card=card, inherits=True, actor=dana)
        cards.switch(card=card, on=True, actor=dana)
    cards.set_up(card=riverside.restwebhook, actor=dana, url=f"{crm_url}/old-crm")
    cards.switch(card=riverside.restwebhook, on=True, actor=dana)
    _traffic(business, Attempt.Outcome.DELIVERED)
    _publish_newest(riverside)
    return Secrets(key, webhook["Signing secret"])


def _traffic(source: Source, outcome: Attempt.Outcome) -> None:
    """Yesterday's deliveries, so that the card has something to show."""
    now = timezone.now()
    for hours in (50, 30, 26, 8, 3):
        at = now - timedelta(hours=hours)
        Attempt.objects.create(
            id=uuid7(at), delivery_id=uuid7(at), event_id=uuid7(at), lane_id=source.restwebhook.lane_id,
            organization_id=source.organization_id, source_id=source.pk, event_type="message.received",
            number=1, started_at=at, duration_ms=41, outcome=outcome, status_code=204,
            url=source.restwebhook.url, next_because="",
        )  # fmt: skip
    source.restwebhook.lane.last_ok_at = now - timedelta(hours=3)
    source.restwebhook.lane.save(update_fields=["last_ok_at"])


def _publish_newest(source: Source) -> None:
    """Real events that meet a receiver which answers 404."""
    for conversation in Conversation.objects.filter(source=source).order_by("-last_message_at")[:3]:
        conversation.sequence += 1
        conversation.save(update_fields=["sequence"])
        message = conversation.messages.filter(direction="inbound", kind="message").latest("id")
        lead = conversation.lead
        publish(draft_event(EventType.MESSAGE_RECEIVED, source, lead, conversation, message))


def move_crm(old: str, new: str) -> None:
    """The demo's CRM got another port: let the demo's webhooks follow it."""
    from webhooks.models import RestWebhook

    for card in RestWebhook.objects.filter(url__startswith=f"{old}/"):
        cards.configure(card=card, actor=SYSTEM, url=card.url.replace(old, new, 1))
