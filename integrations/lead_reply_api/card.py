"""The Lead Reply API card: one key, kept as a hash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import Source
from api.models import ApiCall
from core.ids import uuid7
from core.secrets import make_key
from integrations.kinds import ActivityRow, CardKind, Health, KeyShown, NewSecrets
from integrations.lead_reply_api.models import LeadReplyApi, ReplyKey
from integrations.lead_reply_api.snippets import snippets
from messaging.models import ChannelConnection

SHOWN = 8
PERIOD = timedelta(days=7)


class LeadReplyApiKind(CardKind[LeadReplyApi]):
    model = LeadReplyApi
    template = "lead_reply_api/_card.html"
    icon = "arrow-down-left"
    check_label = "Validate connection"
    summary = "Lets your system answer leads. Replies are delivered as if your team had sent them."
    regenerate_label = "Regenerate key…"
    regenerate_question = "Create a new key for the Lead Reply API?"
    key_label = "Secret key"
    inherited = "key"
    removed = "key is removed for good"
    disconnected = "Callers with the key get 401 from now on."

    def add_to(self, source: Source) -> None:
        LeadReplyApi.objects.create(source=source)

    def context(self, card: LeadReplyApi, values: Mapping[str, Any]) -> dict[str, Any]:
        new_secrets: NewSecrets | None = values.get("new_secrets")
        return {"snippets": snippets(card.source, next(iter(new_secrets.secrets.values())) if new_secrets else None)}

    def make_credential(self, card: LeadReplyApi, actor: Actor, overlap: timedelta | None) -> NewSecrets:
        replaces = card.keys.retire(overlap)
        key = make_key("lwr_")
        ReplyKey(card=card, created_by=actor.user).take(key).save(force_insert=True)
        return NewSecrets({"Secret key": key}, replaces)

    def clear_credential(self, card: LeadReplyApi) -> str:
        masked = ", ".join(map(str, card.keys.all()))
        card.keys.all().delete()
        return masked

    def end_overlap(self, card: LeadReplyApi) -> None:
        card.keys.end_overlap()

    def check(self, card: LeadReplyApi, actor: Actor) -> None:
        owner = card.credential_card
        sending = ChannelConnection.objects.filter(source=card.source_id, kind="email", disconnected_at=None)
        if not owner.has_credential:
            where = f"{owner.source} has" if owner is not card else "There is"
            card.record_check(ok=False, title="Not ready.", detail=f"{where} no secret key yet. Create a key first.")
        elif not sending.exists():
            detail = "No channel of this source can deliver a reply. Connect one under Channels."
            card.record_check(ok=False, title="Not ready.", detail=detail)
        else:
            hint = "" if card.is_enabled else " Turn this on to let replies through."
            detail = f"The key works.{hint}"
            card.record_check(ok=True, title="Validated.", detail=detail)

    def keys(self, card: LeadReplyApi) -> list[KeyShown]:
        rows = card.keys.active().select_related("created_by").order_by("-ends_at")
        return [
            KeyShown("Secret key", str(key), key.created_at, str(key.created_by or "Leadwire"), key.ends_at)
            for key in sorted(rows, key=lambda key: key.ends_at is not None)
        ]

    def _calls(self, card: LeadReplyApi) -> models.QuerySet[ApiCall]:
        return ApiCall.objects.filter(source_id=card.source_id, kind=ReplyKey.CALLER).order_by("-id")

    def health(self, card: LeadReplyApi) -> Health:
        last = self._calls(card).first()
        if last is None:
            return Health("none", "No traffic yet")
        if last.status < 400:
            return Health("ok", "Working", f"Last call from {last.address}", last.called_at)
        return Health("failing", "Last call refused", f"{last.status} {last.code}", last.called_at)

    def activity(self, card: LeadReplyApi) -> list[ActivityRow]:
        rows = []
        for call in self._calls(card)[:SHOWN]:
            mark = "ok" if call.status < 400 else "warn" if call.status < 500 else "bad"
            words = call.code or f"{call.method} {_short(call.path)}"
            url = reverse("api:api-call", args=[call.pk])
            rows.append(ActivityRow(mark, str(call.status), words, call.called_at, url))
        return rows

    def activity_summary(self, card: LeadReplyApi) -> str:
        since = uuid7(timezone.now() - PERIOD)
        week = self._calls(card).filter(id__gte=since)
        good = week.filter(status__lt=400)[:1001].count()
        bad = week.filter(status__gte=400)[:1001].count()
        return f"last 7 days: {_many(good)} answered, {_many(bad)} refused"


def _many(number: int) -> str:
    return "over 1,000" if number > 1000 else str(number)


def _short(path: str) -> str:
    """A path as people read it: without the ids."""
    return "/".join(part if "_" not in part or part.isalpha() else "…" for part in path.split("/"))


KIND = LeadReplyApiKind()
