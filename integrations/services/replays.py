"""Send events again: one, what was missed, or a range. Resumable, cancellable, without a cap, in slots of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.actors import Actor
from accounts.ids import first_id
from integrations.event_types import EventType
from integrations.models import Attempt, Delivery, Event, Job, Lane, Pace, Replay, RestWebhook
from integrations.outbox import hints
from integrations.outbox.ending import cancel_deliveries
from integrations.outbox.publishing import Happening, seen_as, wake
from integrations.problems import Refusal
from integrations.services import cards
from integrations.services.trouble import missing_since

PORTION = 500  # events in one transaction
PORTIONS_AT_ONCE = 20  # before other jobs have their turn
WAITING_MAX = 5_000  # open replays of one endpoint: the rest stays in the feed until these are through


@transaction.atomic
def send_again(*, delivery_id: UUID, card: RestWebhook, actor: Actor) -> Delivery:
    """Send the event of an ended delivery once more. Raise Refusal `delivery.open` or `event.gone`."""
    last = Attempt.objects.filter(delivery_id=delivery_id, lane_id=card.lane_id).order_by("-id").first()
    if last is None or Delivery.objects.filter(pk=delivery_id).exists():
        raise Refusal(409, "delivery.open", "This delivery is still being tried. Use Retry now.")
    event = Event.objects.filter(pk=last.event_id).first()
    if event is None:
        raise Refusal(410, "event.gone", "This event is no longer kept, so it cannot be sent again.")
    delivery = Delivery.objects.create(**_row(event, card.lane_id, last.event_type))
    actor.record(
        "delivery.again", organization=event.organization_id, target=last.event_type, source_id=event.source_id
    )
    wake(Lane.Kind.WEBHOOK, [card.lane_id])
    return delivery


@transaction.atomic
def start_replay(
    *,
    card: RestWebhook,
    actor: Actor,
    since: datetime,
    until: datetime | None = None,
    event_types: Iterable[str] = (),
    only_undelivered: bool = True,
    is_dry_run: bool = False,
) -> Job:
    """Begin to send a card's events of a time again, or only to count them. Return the job to follow.

    Raise Refusal `replay.notSetUp` when the card has no URL, `replay.running` while another one is under way.
    """
    card = RestWebhook.objects.with_owner().select_for_update(of=("self",)).get(pk=card.pk)
    if not card.is_set_up:
        raise Refusal(409, "replay.notSetUp", "This card has no URL to send to. Set it up first.")
    if not is_dry_run and running_replay(card):
        raise Refusal(409, "replay.running", "A replay is under way already. Wait for it, or cancel it.")
    replay = Replay.objects.create(
        lane_id=card.lane_id,
        since=since,
        until=until or timezone.now(),
        event_types=list(event_types),
        only_undelivered=only_undelivered,
        is_dry_run=is_dry_run,
        created_by=actor.name,
    )
    source = card.source
    job = Job.objects.create(
        organization_id=source.organization_id, source_id=source.pk, category=Replay.CATEGORY, subject_id=replay.pk
    )
    if not is_dry_run:
        after = {"since": since.isoformat(), "until": replay.until.isoformat(), "only_undelivered": only_undelivered}
        actor.record("replay.start", organization=source.organization_id, target=card, source_id=source.pk, after=after)
    transaction.on_commit(lambda: hints.send("job"))
    return job


def running_replay(card: RestWebhook) -> Job | None:
    """The replay of a card that is under way."""
    replays = Replay.objects.filter(lane=card.lane_id, is_dry_run=False).values("pk")
    return Job.objects.filter(subject_id__in=replays, status__in=Job.UNFINISHED).first()


@transaction.atomic
def start_missed(*, card: RestWebhook, actor: Actor) -> Job | None:
    """Turn a stopped endpoint on again and send it what it missed. None when it was not stopped.

    Raise Refusal as `start_replay` and `cards.switch` do; then it stays stopped.
    """
    since = missing_since(card)
    cards.switch(card=card, on=True, actor=actor)
    return start_replay(card=card, actor=actor, since=since) if since else None


@transaction.atomic
def cancel_replay(*, job: Job, card: RestWebhook, actor: Actor) -> int:
    """Stop a replay: nothing more is written, and what waits is taken back. Return how many that were."""
    until = job.finished_at or timezone.now()
    job.cancel(f"by {actor.name}")
    replay = Replay.objects.get(pk=job.subject_id)
    if replay.is_dry_run:
        return 0
    # One replay of a webhook runs at a time, so what was written while this one ran is its own, not a later one's.
    waiting = Delivery.objects.filter(
        lane=replay.lane_id, pace=Pace.REPLAY, claim=None, created_at__range=(replay.created_at, until)
    )
    count = cancel_deliveries(waiting, "The replay was cancelled")
    actor.record(
        "replay.cancel",
        organization=job.organization_id,
        target=card,
        source_id=job.source_id,
        before={"sent": job.done - count},
        after={"taken_back": count},
    )
    return count


def run_replay(replay_id: UUID) -> timedelta | None:
    """Do some portions of a replay. Return when to go on, None when it is through."""
    for _ in range(PORTIONS_AT_ONCE):
        wait = _run_portion(replay_id)
        if wait is None or wait:
            return wait
    return timedelta(0)


@transaction.atomic
def _run_portion(replay_id: UUID) -> timedelta | None:
    """Look at the next events and write their rows; the place where it stands commits with them."""
    replay = Replay.objects.select_for_update().get(pk=replay_id)
    job = Job.objects.select_for_update().get(subject_id=replay_id)
    card = RestWebhook.objects.with_owner().filter(lane=replay.lane_id).first()
    if job.status == Job.Status.CANCELLED or card is None:
        return None
    if not replay.is_dry_run and _waiting(replay.lane_id) > WAITING_MAX:
        return timedelta(seconds=1)
    events = list(_next_events(replay, card))
    if not events:
        job.total = job.done
        job.save(update_fields=["total"])
        return None
    due = _due(replay, card, events)
    if not replay.is_dry_run:
        Delivery.objects.bulk_create(_in_order(replay, card.lane_id, due))
        wake(Lane.Kind.WEBHOOK, [card.lane_id])
    replay.cursor = events[-1].pk
    replay.save(update_fields=["cursor"])
    job.done += len(due)
    job.save(update_fields=["done"])
    return timedelta(0)


def _waiting(lane_id: UUID) -> int:
    return Delivery.objects.filter(lane=lane_id, pace=Pace.REPLAY)[: WAITING_MAX + 1].count()


def _next_events(replay: Replay, card: RestWebhook) -> Iterable[Event]:
    """The next events of the card's source in the replay's time, oldest first. Ids are in the order of time."""
    source = card.source
    rows = Event.objects.filter(organization_id=source.organization_id, source_id=source.pk)
    after = Q(pk__gt=replay.cursor) if replay.cursor else Q(pk__gte=first_id(replay.since))
    return rows.filter(after, pk__lt=first_id(replay.until + timedelta(milliseconds=1))).order_by("pk")[:PORTION]


def _due(replay: Replay, card: RestWebhook, events: list[Event]) -> list[tuple[Event, str]]:
    """Those that this endpoint hears of, each with its type as the endpoint sees it."""
    seen = [(event, seen_as(_happening(event), card)) for event in events]
    due = [(event, one.value) for event, one in seen if one]
    if replay.event_types:
        due = [(event, one) for event, one in due if one in replay.event_types]
    if replay.only_undelivered:
        ids = [event.pk for event, _ in due]
        had = set(
            Attempt.objects.filter(event_id__in=ids, lane_id=replay.lane_id, outcome=Attempt.Outcome.DELIVERED)
            .values_list("event_id", flat=True)
        )  # fmt: skip
        had |= set(Delivery.objects.filter(event_id__in=ids, lane=replay.lane_id).values_list("event_id", flat=True))
        due = [(event, one) for event, one in due if event.pk not in had]
    return due


def _happening(event: Event) -> Happening:
    """What was published, as far as the options of a card ask about it."""
    lead = event.payload.get("lead") or {}
    return Happening(
        type=EventType(event.type),
        organization_id=event.organization_id,
        source_id=event.source_id,
        has_message=bool(event.payload.get("message")),
        is_ready=lead.get("is_ready", True),
        is_new=lead.get("is_new", True),
    )


def _in_order(replay: Replay, lane_id: UUID, due: list[tuple[Event, str]]) -> list[Delivery]:
    """Rows of one conversation go out one after the other, and do not hold up its fresh events."""
    rows, heads = [], set(_open_keys(lane_id, {key for event, _ in due if (key := _key(replay, event))}))
    for event, seen in due:
        row, key = Delivery(**_row(event, lane_id, seen)), _key(replay, event)
        if key:
            row.order_key = key
            if key in heads:
                row.next_attempt_at = None
            heads.add(key)
        rows.append(row)
    return rows


def _key(replay: Replay, event: Event) -> UUID | None:
    return UUID(int=event.conversation_id.int ^ replay.pk.int) if event.conversation_id else None


def _open_keys(lane_id: UUID, keys: set[UUID]) -> list[UUID]:
    """Order keys that have an open row; locked, so that whoever finishes the last of them sees what comes behind it."""
    rows = Delivery.objects.filter(lane=lane_id, order_key__in=keys).select_for_update(no_key=True).order_by("pk")
    return [row.order_key for row in rows if row.order_key]


def _row(event: Event, lane_id: UUID, seen: str) -> dict[str, Any]:
    return {
        "lane_id": lane_id,
        "sequence": event.sequence,
        "organization_id": event.organization_id,
        "source_id": event.source_id,
        "event_id": event.pk,
        "event_type": seen,
        "pace": Pace.REPLAY,
        "is_aside": True,
    }
