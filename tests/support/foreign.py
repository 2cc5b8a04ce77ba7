"""The other organization, with one of everything."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Membership
from api.models import ApiCall, ApiToken
from api.services import make_token
from conversations.models import Attachment, Conversation, Message, ReceivedReply
from conversations.services.received_replies import judge
from core.ids import encode
from inbox.models import BulkChange, SavedReply, SavedView
from leads.models import OptOut
from messaging.models import ChannelConnection, InboundMail, MessageTemplate
from messaging.registry import PROVIDERS
from messaging.services import connect
from outbox.models import Job
from webhooks.event_types import EventType
from webhooks.models import Delivery, Subscription
from webhooks.services.replays import start_replay
from webhooks.services.subscriptions import subscribe

SECRET = "Xylophone-4711"  # stands in every text of the other organization


@pytest.fixture
def foreign(harbor, dental, eve, lead_at, webhook_at, key_of):
    """One of everything in the other organization, each with the secret word in its texts."""
    from accounts.actors import Actor
    from integrations import services as cards

    dental.name = f"Dental {SECRET}"
    dental.save()
    stranger = Actor(f"Eve {SECRET}", eve)
    cards.set_up(card=dental.restwebhook, actor=stranger, url="http://127.0.0.1:9/hook")
    cards.switch(card=dental.restwebhook, on=True, actor=stranger)
    lead = lead_at(dental, "secret@example.net", message=f"My secret {SECRET}", first_name=SECRET)
    mail_id = keep_secret_mail(lead)
    membership = Membership.objects.get(user=eve)
    token, _ = make_token(creator=membership, actor=stranger, name=SECRET, scopes=[ApiToken.Scope.LEADS_WRITE.value])
    return {
        "source_id": dental.public_id,
        "lead_id": lead.public_id,
        "conversation_id": Conversation.objects.get(lead=lead).public_id,
        "message_id": Message.objects.get(lead=lead).public_id,
        "reply_id": reply_of(lead).public_id,
        "attachment_id": attachment_of(lead).public_id,
        "opt_out_id": opt_out_of(lead).public_id,
        "delivery_id": encode("dlv", Delivery.objects.get().pk),
        "token_id": encode("tok", token.pk),
        "call_id": encode("call", call_of(dental).pk),
        "job_id": encode("job", replay_of(dental).pk),
        "member_id": encode("mem", membership.pk),
        "webhook_id": webhook_of(membership, stranger).public_id,
        "mail_id": mail_id,
        "built_in_id": str(dental.connections.get(provider="installation").pk),
        "connection_id": str(number_of(dental).pk),
        "template_id": str(template_of(dental).pk),
        "view_id": view_of(eve, harbor).public_id,
        "change_id": change_of(eve, harbor).public_id,
        "saved_id": saved_reply_of(harbor).public_id,
        "slug": "rest-webhook",
        "provider": "google",
    }


def view_of(user, organization) -> SavedView:
    """A view of the inbox that somebody shares, with the secret word in its name."""
    return SavedView.objects.create(organization=organization, owner=user, name=SECRET, is_shared=True)


def change_of(user, organization) -> BulkChange:
    """Something that somebody did with all of the organization's conversations, and can undo."""
    keys = Conversation.objects.filter(organization=organization).values_list("pk", flat=True)
    before = {str(key): SECRET for key in keys}
    return BulkChange.objects.create(organization=organization, user=user, action="tag", before=before)


def saved_reply_of(organization, content=SECRET) -> SavedReply:
    """A text of the organization's team, with the secret word in it."""
    return SavedReply.objects.create(organization=organization, name="Thanks", content=content)


def opt_out_of(lead) -> OptOut:
    """Somebody who wants no more messages, with the secret word in their address."""
    return OptOut.objects.create(
        organization_id=lead.organization_id, address=f"{SECRET}@example.net", channel="email", reason="stop"
    )


def number_of(source) -> ChannelConnection:
    """A connected number, with the secret word in its name and its credentials."""
    return connect(
        source=source,
        actor=Actor(SECRET),
        provider=PROVIDERS["twilio"],
        name=SECRET,
        own_address="+4930123456",
        settings={"account_sid": "AC" + "0" * 32, "auth_token": SECRET},
    )


def template_of(source) -> MessageTemplate:
    """A template of a connected WhatsApp number, with the secret word in it."""
    settings = {"phone_number_id": "1" * 15, "business_account_id": "2" * 15, "access_token": "t", "app_secret": "s"}
    connection = connect(
        source=source,
        actor=Actor(SECRET),
        provider=PROVIDERS["meta"],
        name=SECRET,
        own_address="+49301",
        settings=settings,
    )
    return MessageTemplate.objects.create(
        connection=connection, name="welcome", language="de", status="APPROVED", body=SECRET, is_sendable=True
    )


def reply_of(lead) -> ReceivedReply:
    """As if the lead's first message were an answer to one of ours."""
    message = Message.objects.get(lead=lead)
    judge(message)
    message.save()
    return ReceivedReply.objects.create(
        organization_id=lead.organization_id,
        source_id=lead.source_id,
        lead=lead,
        conversation_id=message.conversation_id,
        message=message,
        label=message.label,
    )


def keep_secret_mail(lead) -> str:
    """As if the lead's first message had come by mail, and an automatic one besides. Return the id of that one."""
    connection = lead.source.connections.get(provider="installation")
    message = Message.objects.get(lead=lead)
    InboundMail.objects.create(connection=connection, raw=SECRET.encode(), message_id=message.pk, header_id="<1>")
    texts = {"sender": f"{SECRET}@example.net", "subject": SECRET, "header_id": "<2>"}
    mail = InboundMail.objects.create(connection=connection, outcome="automatic", raw=SECRET.encode(), **texts)
    return mail.public_id


def attachment_of(lead) -> Attachment:
    """A file that came with the lead's first message, with the secret word in its name."""
    message = Message.objects.get(lead=lead)
    Message.objects.filter(pk=message.pk).update(attachment_count=1)
    return Attachment.objects.create(
        organization_id=lead.organization_id,
        source_id=lead.source_id,
        message=message,
        name=SECRET,
        content_type="image/png",
        size=5,
        key=f"{encode('org', lead.organization_id)}/{lead.source.public_id}/{message.public_id}",
        state="ready",
        has_preview=True,
    )


def webhook_of(creator: Membership, actor: Actor) -> Subscription:
    """A subscription that hears of nothing: only its pages matter here."""
    return subscribe(
        creator=creator,
        actor=actor,
        name=SECRET,
        url=f"https://{SECRET.lower()}.example.com/hook",
        event_types=[EventType.WEBHOOK_DISABLED.value],
    )[0]


def replay_of(source) -> Job:
    return start_replay(endpoint=source.restwebhook, actor=Actor(SECRET), since=timezone.now(), is_dry_run=True)


def call_of(source) -> ApiCall:
    return ApiCall.objects.create(
        organization_id=source.organization_id,
        source_id=source.pk,
        kind="source_key",
        key_id=source.pk,
        path=f"/v1/{SECRET}",
        status=200,
        ms=1,
    )
