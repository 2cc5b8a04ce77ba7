"""What a person does with a card, step by step."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from conversations.models import Message
from conversations.services.replies import Author
from core.problems import Refusal
from integrations import services as cards
from integrations.lead_reply_api.models import LeadReplyApi
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db
STAFF = Author(Message.Author.STAFF, "Dana")


def test_every_step_of_a_card_is_audited(key_of, plumbing, eastgate, actor):
    key_of(plumbing)
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    cards.switch(card=eastgate.leadreplyapi, on=True, actor=actor)
    cards.regenerate(card=plumbing.leadreplyapi, actor=actor, overlap=timedelta(hours=1))
    cards.end_overlap(card=plumbing.leadreplyapi, actor=actor)
    cards.disconnect(card=plumbing.leadreplyapi, actor=actor)
    told = AuditEntry.objects.filter(action__startswith="lead-reply-api.").order_by("id")
    assert [(row.action.partition(".")[2], row.source_id) for row in told] == [
        ("set-up", plumbing.pk),
        ("on", plumbing.pk),
        ("inherit", eastgate.pk),
        ("on", eastgate.pk),
        ("regenerate", plumbing.pk),
        ("overlap-end", plumbing.pk),
        ("disconnect", plumbing.pk),
        ("off", eastgate.pk),
    ]


def test_a_new_url_is_audited_without_its_path_and_verified_lapses(plumbing, webhook_at, actor):
    webhook_at(plumbing, "http://127.0.0.1:9/OLD-TOKEN")
    plumbing.restwebhook.record_check(ok=True, title="x", detail="x")
    cards.configure(card=plumbing.restwebhook, actor=actor, url="http://127.0.0.1:9/NEW-TOKEN")
    plumbing.restwebhook.refresh_from_db()
    assert not plumbing.restwebhook.is_verified
    line = AuditEntry.objects.get(action="rest-webhook.configure")
    assert "TOKEN" not in f"{line.before} {line.after}"


def test_a_card_is_set_up_once_and_regenerated_only_after_that(plumbing, actor):
    with pytest.raises(Refusal, match="Create a key first"):
        cards.regenerate(card=plumbing.leadreplyapi, actor=actor)
    cards.set_up(card=plumbing.leadreplyapi, actor=actor)
    with pytest.raises(Refusal, match="set up already"):
        cards.set_up(card=plumbing.leadreplyapi, actor=actor)
    with pytest.raises(Refusal, match="no parent"):
        cards.set_inherits(card=plumbing.leadreplyapi, inherits=True, actor=actor)


def test_inheriting_from_a_parent_without_a_key_turns_the_card_off(key_of, plumbing, eastgate, actor):
    key_of(eastgate)
    cards.set_inherits(card=eastgate.leadreplyapi, inherits=True, actor=actor)
    assert not LeadReplyApi.objects.get(source=eastgate).is_enabled


def test_disconnect_cancels_only_what_waits_for_this_card(plumbing, eastgate, webhook_at, actor, lead_at):
    for source in (plumbing, eastgate):
        webhook_at(source, "http://127.0.0.1:9/hook")
        lead_at(source)
    cards.disconnect(card=eastgate.restwebhook, actor=actor)
    assert [delivery.source_id for delivery in Delivery.objects.all()] == [plumbing.pk]


def test_validate_says_when_no_channel_can_deliver(key_of, plumbing, actor):
    key_of(plumbing)
    plumbing.connections.update(disconnected_at=timezone.now())
    cards.check(card=plumbing.leadreplyapi, actor=actor)
    assert not LeadReplyApi.objects.get(source=plumbing).is_verified
