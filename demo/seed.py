"""Fill an empty installation with the demo: two organizations, their people, sources, leads and traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM, Actor
from accounts.models import Membership, Organization, Source, SourceAccess, User
from accounts.rights import Role
from conversations.models import Conversation
from conversations.services.events import draft_event
from core.ids import uuid7
from demo.accounts import LOGIN, PASSWORD
from demo.phones import connect_numbers
from demo.pictures import add_files
from demo.stories import STORIES
from demo.telling import tell
from integrations import services as cards
from sources.services import create_source
from webhooks.event_types import EventType
from webhooks.models import Attempt
from webhooks.publishing import publish


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
    connect_numbers(places["Northside Plumbing"], Actor("Dana Reed", owner))
    staff = {northside.pk: agent, harbor.pk: dentist}
    for story in sorted(STORIES, key=lambda story: -story.hours_ago):
        source = places[story.place]
        tell(story, source, staff[source.organization_id])
    add_files()
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
