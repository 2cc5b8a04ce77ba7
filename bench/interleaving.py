"""A small outbox in which any two operations run at the same moment, each on a connection of its own.

Every statement waits a random moment first, so that the two interleave differently each time. After both have ended,
the rows must be such that nothing is forgotten and nothing is late.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.actors import SYSTEM
from accounts.models import Membership, Organization, User
from bench.jitter import close_connections, jittery, outbox
from conversations.models import Conversation
from conversations.services.forms import Submission, take_submission
from core.problems import Refusal
from integrations import services as cards
from leads.services import Details
from outbox.claims import Turn, release
from outbox.models import Lane, SlotKind
from outbox.wakes import wake_with
from sources.services import create_source
from webhooks.delivery.claims import ClaimedDelivery, claim_deliveries
from webhooks.delivery.results import Outcome, Result, record
from webhooks.event_types import EventType
from webhooks.models import Delivery, RestWebhook
from webhooks.publishing import EventDraft, publish
from webhooks.services import replays, subscriptions

CROWD = 30  # open rows: then the world is tidied
SLOTS = dict.fromkeys(SlotKind, Turn(2))

# A row that waits and has nobody ahead of it; two of one key that are due; a lane whose look comes later than a second
# after its row's time, or would begin its sweep after it.
_LEFT_BEHIND = """
SELECT count(*) FROM webhooks_delivery d WHERE next_attempt_at IS NULL AND NOT EXISTS (
    SELECT FROM webhooks_delivery e WHERE e.lane_id = d.lane_id AND e.order_key = d.order_key
    AND (e.sequence, e.id) < (d.sequence, d.id))
"""
_OUT_OF_ORDER = """
SELECT count(*) FROM (SELECT FROM webhooks_delivery WHERE order_key IS NOT NULL AND next_attempt_at IS NOT NULL
    GROUP BY lane_id, order_key HAVING count(*) > 1) doubled
"""
_LATE = """
SELECT count(*) FROM webhooks_delivery d JOIN outbox_lane l ON l.id = d.lane_id
JOIN outbox_lanetimer c ON c.lane_id = l.id
WHERE l.held_at IS NULL AND l.stopped_at IS NULL AND l.open_until IS NULL AND d.next_attempt_at IS NOT NULL
    AND (c.check_at > greatest(d.next_attempt_at, now()) + interval '1 s'
        OR d.claim IS NULL AND c.swept_to - interval '2 s' > d.next_attempt_at)
"""


class World:
    """One organization with a card, a webhook of its own, and three conversations."""

    def __init__(self) -> None:
        self.organization = Organization.objects.create(name="Interleaved")
        user = User.objects.create_user(f"{uuid4().hex}@example.com", None)
        self.creator = Membership.objects.create(organization=self.organization, user=user, role="owner")
        self.source = create_source(organization=self.organization, actor=SYSTEM, name="Interleaved")
        for name in ("ann", "bob", "cat"):
            take_submission(
                source=self.source, submission=Submission(Details(first_name=name, email=f"{name}@x.example"), "Hello")
            )
        self.conversations = list(Conversation.objects.filter(source=self.source))
        self._set_up_card()
        self.subscription = subscriptions.subscribe(
            creator=self.creator,
            actor=SYSTEM,
            name="All",
            url="https://hook.example/",
            event_types=[EventType.MESSAGE_RECEIVED.value],
        )[0]
        self.in_flight: list[ClaimedDelivery] = []
        self.lock = threading.Lock()
        self.pool = ThreadPoolExecutor(2)

    @property
    def card(self) -> RestWebhook:
        return RestWebhook.objects.with_credential_card().get(source=self.source)

    @property
    def lanes(self) -> list[Any]:
        return [self.card.lane_id, self.subscription.lane_id]

    def _set_up_card(self) -> None:
        cards.set_up(card=self.card, actor=SYSTEM, url="https://hook.example/")
        cards.switch(card=self.card, on=True, actor=SYSTEM)

    # --- what happens, each in a thread of its own ---

    def publish(self) -> None:
        chosen = random.choice(self.conversations)
        with transaction.atomic():
            conversation = Conversation.objects.select_for_update(no_key=True).get(pk=chosen.pk)
            conversation.sequence += 1
            conversation.save(update_fields=["sequence"])
            publish(
                EventDraft(
                    type=EventType.MESSAGE_RECEIVED,
                    organization_id=self.organization.pk,
                    source_id=self.source.pk,
                    lead_id=conversation.lead_id,
                    conversation_id=conversation.pk,
                    sequence=conversation.sequence,
                    payload={"message": {}},
                    has_message=True,
                )
            )

    def claim(self) -> None:
        claimed = outbox(lambda c: claim_deliveries(c, SLOTS, full=random.random() < 0.5))
        with self.lock:
            self.in_flight += claimed

    def finish(self) -> None:
        self._record(lambda one: Result(one, Outcome.DELIVERED, timezone.now()))

    def retry(self) -> None:
        wait = timedelta(seconds=random.choice([0, 3]))
        self._record(lambda one: Result(one, Outcome.RETRYING, timezone.now(), retry_after=wait))

    def step_aside(self) -> None:
        wait = timedelta(hours=1, seconds=1)
        self._record(lambda one: Result(one, Outcome.RETRYING, timezone.now(), retry_after=wait))

    def give_back(self) -> None:
        if taken := self._take():
            outbox(lambda c: release(c, taken, "webhooks_delivery"))

    def stop(self) -> None:
        self._record(lambda one: Result(one, Outcome.FAILED, timezone.now(), error="410", stops_endpoint="410"))

    def resume(self) -> None:
        cards.switch(card=self.card, on=True, actor=SYSTEM)
        subscriptions.switch(subscription=self.subscription, on=True, actor=SYSTEM)

    def hold(self) -> None:
        cards.switch(card=self.card, on=False, actor=SYSTEM)

    def replay(self) -> None:
        since = timezone.now() - timedelta(seconds=1)
        job = replays.start_replay(endpoint=self.card, actor=SYSTEM, since=since, only_undelivered=False)
        while replays._run_portion(job.subject_id) is not None:
            pass
        type(job).objects.filter(pk=job.pk).update(status="done", finished_at=Now(), next_attempt_at=None)

    def cancel(self) -> None:
        since = timezone.now() - timedelta(seconds=1)
        job = replays.start_replay(endpoint=self.card, actor=SYSTEM, since=since, only_undelivered=False)
        replays._run_portion(job.subject_id)
        replays.cancel_replay(job=job, actor=SYSTEM)

    def retry_now(self) -> None:
        with transaction.atomic():
            waiting = Delivery.objects.filter(lane__in=self.lanes, claim=None, next_attempt_at__isnull=False)
            waiting.filter(pk__in=waiting.select_for_update().order_by("pk").values("pk")).update(next_attempt_at=Now())
            wake_with(Lane.Kind.WEBHOOK, self.lanes)

    def disconnect(self) -> None:
        cards.disconnect(card=self.card, actor=SYSTEM)
        self._set_up_card()

    @property
    def operations(self) -> dict[str, Callable[[], None]]:
        names = ["publish", "claim", "finish", "retry", "step_aside", "give_back", "stop", "resume", "hold", "replay",
                 "cancel", "retry_now", "disconnect"]  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def _take(self) -> list[ClaimedDelivery]:
        with self.lock:
            taken, self.in_flight = self.in_flight[:2], self.in_flight[2:]
        return taken

    def _record(self, judge: Callable[[ClaimedDelivery], Result]) -> None:
        results = [judge(row) for row in self._take()]

        async def write(c: psycopg.AsyncConnection[Any]) -> None:
            waiting = results
            while waiting:
                busy = await record(c, waiting)
                waiting = [result for result in waiting if result.delivery.id in busy]

        if results:
            outbox(write)

    def close(self) -> None:
        """Give the connections back."""
        both = threading.Barrier(2)
        for closing in [self.pool.submit(self._leave, both) for _ in range(2)]:
            closing.result()
        self.pool.shutdown()
        close_connections()

    def _leave(self, both: threading.Barrier) -> None:
        both.wait()  # each of the two threads takes one
        close_connections()

    # --- one interleaving ---

    def interleave(self, first: str, second: str) -> list[str]:
        """Run both at once. Return what went wrong."""
        if not self.in_flight:
            self.publish()
            self.claim()
        problems: list[str] = []
        for running in [self.pool.submit(self._run, name, problems) for name in (first, second)]:
            running.result()
        problems += self.look()
        if random.random() < 0.05 or Delivery.objects.filter(lane__in=self.lanes).count() > CROWD:
            self._tidy()
            problems += self.look()
        if problems:
            Delivery.objects.filter(lane__in=self.lanes).delete()  # start again
            self.in_flight.clear()
        return [f"{first} beside {second}: {problem}" for problem in problems]

    def _run(self, name: str, problems: list[str]) -> None:
        try:
            with connection.execute_wrapper(jittery), contextlib.suppress(Refusal):
                self.operations[name]()
        except Exception as error:
            problems.append(f"{name} failed: {error!r}")

    def look(self) -> list[str]:
        """Return what is wrong with the rows as they are, while nothing runs."""
        found = []
        with connection.cursor() as cursor:
            checks = (("left behind", _LEFT_BEHIND), ("out of order", _OUT_OF_ORDER), ("late", _LATE))
            for what, query in checks:
                cursor.execute(query)
                if count := cursor.fetchone()[0]:
                    found.append(f"{count} {what}")
        return found

    def _tidy(self) -> None:
        """Let all that is open go out."""
        self.resume()
        for _ in range(CROWD * 2):
            self.retry_now()
            self.claim()
            if not self.in_flight and not Delivery.objects.filter(lane__in=self.lanes).exists():
                return
            self.finish()


def pairs(world: World) -> Any:
    """Every pair of operations, in an order of chance, again and again."""
    every = list(itertools.combinations_with_replacement(world.operations, 2))
    while True:
        random.shuffle(every)
        yield from every


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_clear_snapshot(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return int(cursor.fetchone()[1])
