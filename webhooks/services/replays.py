"""Send events again: one, what was missed, or a range. Resumable, cancellable, without a cap, in slots of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.actors import Actor
from api.callers import Caller
from core.ids import first_id
from core.problems import Refusal
from integrations import services as cards
from outbox import hints
from outbox.job_kinds import JobKind
from outbox.models import Job, Lane, SlotKind
from outbox.wakes import wake
from webhooks.endpoints import find_endpoint
from webhooks.event_types import EventType
from webhooks.models import Attempt, Delivery, Endpoint, Event, Replay, RestWebhook, Subscription
from webhooks.ordering import keys_in_use
from webhooks.publishing import EventDraft, event_type_for
from webhooks.services import subscriptions
from webhooks.services.endpoints import cancel_deliveries
from webhooks.services.trouble import missing_since

PORTION = 500  # events in one transaction
PORTIONS_AT_ONCE = 20  # before other jobs have their turn
WAITING_MAX = 5_000  # open replays of one endpoint: the rest stays in the feed until these are through


@transaction.atomic
def send_again(*, delivery_id: UUID, endpoint: Endpoint, actor: Actor) -> Delivery:
    """Send the event of an ended delivery once more. Raise Refusal `delivery.open` or `event.gone`."""
    last = Attempt.objects.filter(delivery_id=delivery_id, lane_id=endpoint.lane_id).order_by("-id").first()
    if last is None or Delivery.objects.filter(pk=delivery_id).exists():
        raise Refusal(409, "delivery.open", "This delivery is still being tried. Use Retry now.")
    event = Event.objects.filter(pk=last.event_id).first()
    if event is None or event.payload.get("erased"):
        raise Refusal(410, "event.gone", "This event is no longer kept, so it cannot be sent again.")
    wake(Lane.Kind.WEBHOOK, [endpoint.lane_id])
    delivery = Delivery.objects.create(**_row(event, endpoint.lane_id, last.event_type))
    actor.record(
        "delivery.again", organization=event.organization_id, target=last.event_type, source_id=event.source_id
    )
    return delivery


@transaction.atomic
def start_replay(
    *,
    endpoint: Endpoint,
    actor: Actor,
    since: datetime,
    until: datetime | None = None,
    event_types: Iterable[str] = (),
    only_undelivered: bool = True,
    is_dry_run: bool = False,
) -> Job:
    """Begin to send events of a time again, or only to count them. Return the job to follow.

    Raise Refusal `replay.notSetUp` when there is no URL, `replay.running` while another one is under way.
    """
    Lane.objects.select_for_update().get(pk=endpoint.lane_id)  # one replay of a webhook runs at a time
    endpoint = find_endpoint(endpoint.lane_id) or endpoint  # as it is now
    if not endpoint.is_live:
        raise Refusal(409, "replay.notSetUp", "There is no URL to send to. Set it up first.")
    if not is_dry_run and running_replay(endpoint):
        raise Refusal(409, "replay.running", "A replay is under way already. Wait for it, or cancel it.")
    replay = Replay.objects.create(
        lane_id=endpoint.lane_id,
        since=since,
        until=until or timezone.now(),
        event_types=list(event_types),
        only_undelivered=only_undelivered,
        is_dry_run=is_dry_run,
        created_by=actor.name,
    )
    where = {"organization_id": endpoint.owning_organization_id, "source_id": endpoint.home_source_id}
    job = Job.objects.create(category=Replay.CATEGORY, subject_id=replay.pk, **where)
    if not is_dry_run:
        after = {"since": since.isoformat(), "until": replay.until.isoformat(), "only_undelivered": only_undelivered}
        _record(actor, "replay.start", endpoint, after=after)
    transaction.on_commit(lambda: hints.send(hints.JOBS))
    return job


def running_replay(endpoint: Endpoint) -> Job | None:
    """The replay of a webhook that is under way."""
    replays = Replay.objects.filter(lane=endpoint.lane_id, is_dry_run=False).values("pk")
    return Job.objects.filter(subject_id__in=replays, status__in=Job.UNFINISHED).first()


@transaction.atomic
def start_missed(*, endpoint: Endpoint, actor: Actor) -> Job | None:
    """Turn a stopped endpoint on again and send it what it missed. None when it was not stopped.

    Raise Refusal as `start_replay` and a switch do; then it stays stopped.
    """
    since = missing_since(endpoint)
    if isinstance(endpoint, RestWebhook):
        cards.switch(card=endpoint, on=True, actor=actor)
    elif isinstance(endpoint, Subscription):
        subscriptions.switch(subscription=endpoint, on=True, actor=actor)
    return start_replay(endpoint=endpoint, actor=actor, since=since) if since else None


@transaction.atomic
def cancel_replay(*, job: Job, actor: Actor, because: str = "") -> int:
    """Stop a replay: nothing more is written, and what waits is taken back. Return how many that were."""
    until = job.finished_at or timezone.now()
    job.cancel(because or f"by {actor.name}")
    replay = Replay.objects.get(pk=job.subject_id)
    if replay.is_dry_run:
        return 0
    # One replay of a webhook runs at a time, so what was written while this one ran is its own, not a later one's.
    waiting = Delivery.objects.filter(
        lane=replay.lane_id, slot_kind=SlotKind.REPLAY, claim=None, created_at__range=(replay.created_at, until)
    )
    count = cancel_deliveries(waiting, "The replay was cancelled")
    endpoint = find_endpoint(replay.lane_id)
    if endpoint:
        _record(actor, "replay.cancel", endpoint, before={"sent": job.done - count}, after={"taken_back": count})
    return count


def _record(actor: Actor, action: str, endpoint: Endpoint, **states: Any) -> None:
    """`states`: `before` and `after`, as in `Actor.record`."""
    actor.record(
        action,
        target=endpoint,
        organization=endpoint.owning_organization_id,
        source_id=endpoint.home_source_id,
        **states,
    )


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
    endpoint = find_endpoint(replay.lane_id)
    if job.status == Job.Status.CANCELLED or endpoint is None:
        return None
    if not replay.is_dry_run and _waiting(replay.lane_id) > WAITING_MAX:
        return timedelta(seconds=1)
    events = list(_next_events(replay, endpoint))
    if not events:
        job.total = job.done
        job.save(update_fields=["total"])
        return None
    due = _due(replay, endpoint, events)
    if not replay.is_dry_run:
        wake(Lane.Kind.WEBHOOK, [endpoint.lane_id])
        Delivery.objects.bulk_create(_in_order(replay, endpoint, due))
    replay.cursor = events[-1].pk
    replay.save(update_fields=["cursor"])
    job.done += len(due)
    job.save(update_fields=["done"])
    return timedelta(0)


def _waiting(lane_id: UUID) -> int:
    return Delivery.objects.filter(lane=lane_id, slot_kind=SlotKind.REPLAY)[: WAITING_MAX + 1].count()


def _next_events(replay: Replay, endpoint: Endpoint) -> Iterable[Event]:
    """The next events of where it listens in the replay's time, oldest first. Ids are in the order of time."""
    rows = Event.objects.filter(endpoint.events_filter())
    after = Q(pk__gt=replay.cursor) if replay.cursor else Q(pk__gte=first_id(replay.since))
    return rows.filter(after, pk__lt=first_id(replay.until + timedelta(milliseconds=1))).order_by("pk")[:PORTION]


def _due(replay: Replay, endpoint: Endpoint, events: list[Event]) -> list[tuple[Event, str]]:
    """Those that this endpoint hears of, each with its type as the endpoint sees it."""
    tellable = [
        event for event in events if not event.payload.get("erased")
    ]  # of an erased lead there is nothing to tell
    seen = [(event, event_type_for(_draft_of(event), endpoint)) for event in tellable]
    due = [(event, event_type.value) for event, event_type in seen if event_type]
    if replay.event_types:
        due = [(event, event_type) for event, event_type in due if event_type in replay.event_types]
    if replay.only_undelivered:
        ids = [event.pk for event, _ in due]
        had = set(
            Attempt.objects.filter(event_id__in=ids, lane_id=replay.lane_id, outcome=Attempt.Outcome.DELIVERED)
            .values_list("event_id", flat=True)
        )  # fmt: skip
        had |= set(Delivery.objects.filter(event_id__in=ids, lane=replay.lane_id).values_list("event_id", flat=True))
        due = [(event, event_type) for event, event_type in due if event.pk not in had]
    return due


def _draft_of(event: Event) -> EventDraft:
    """What was published, as far as the options of a card ask about it."""
    lead = event.payload.get("lead") or {}
    return EventDraft(
        type=EventType(event.type),
        organization_id=event.organization_id,
        source_id=event.source_id,
        has_message=bool(event.payload.get("message")),
        is_ready=lead.get("is_ready", True),
        is_new=lead.get("is_new", True),
    )


def _in_order(replay: Replay, endpoint: Endpoint, due: list[tuple[Event, str]]) -> list[Delivery]:
    """Rows of one conversation go out one after the other, and do not hold up its fresh events."""
    lane_id = endpoint.lane_id
    if not endpoint.is_ordered:
        return [Delivery(**_row(event, lane_id, seen)) for event, seen in due]
    keys = {key for event, _ in due if (key := _key(replay, event))}
    rows, heads = [], {key for _, key in keys_in_use((lane_id, key) for key in keys)}
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


def _row(event: Event, lane_id: UUID, seen: str) -> dict[str, Any]:
    return {
        "lane_id": lane_id,
        "sequence": event.sequence,
        "organization_id": event.organization_id,
        "source_id": event.source_id,
        "event_id": event.pk,
        "event_type": seen,
        "slot_kind": SlotKind.REPLAY,
        "is_aside": True,
    }


def _replays_of(viewer: Caller) -> QuerySet[Replay, Any]:
    """The ids of replays of the subscriptions that a caller sees."""
    lanes = Subscription.objects.visible_to(viewer).values("lane")
    return Replay.objects.filter(lane__in=lanes).values("pk")


REPLAYS = JobKind(run_replay, cancel=cancel_replay, subjects_of=_replays_of)
