"""Many calls at once, over two web processes, on a real database: no duplicate, no loss, no 500."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPException
from typing import Any

import psycopg
import pytest

from tests.processes.conftest import another_web
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%leads_optout%'"  # the first 1,024 bytes


def at_once(count: int, work) -> list:
    with ThreadPoolExecutor(count) as threads:
        return [future.result() for future in [threads.submit(work, number) for number in range(count)]]


def test_50_parallel_replies_with_one_idempotency_key_have_one_effect(place):
    lead = place.create_lead("ava@example.net")[1]["uid"]
    answers = at_once(50, lambda _: place.reply(lead, "Once", Idempotency_Key="one"))
    counts = Counter(status for status, _ in answers)
    assert set(counts) <= {201, 409}, counts
    bodies = {str(body) for status, body in answers if status == 201}
    assert len(bodies) == 1, "every 201 is the same answer"
    assert {body["code"] for status, body in answers if status == 409} <= {"idempotency.inFlight"}
    assert place.sql("SELECT count(*) FROM conversations_message WHERE content = 'Once'") == [(1,)]


def test_a_process_killed_in_the_middle_of_an_effect_leaves_one_effect_to_the_others(place, running):
    """Fifty calls with one key over three processes. The one that has begun waits for the conversation, and dies."""
    lead = place.create_lead("killed@example.net")[1]["uid"]
    with ExitStack() as stack:
        webs = [stack.enter_context(another_web(running, processes=1)) for _ in range(3)]
        places = [replace(place, url=web.url) for web in webs]

        def call(number: int) -> tuple[int, Any]:
            try:
                return places[number % 3].reply(lead, "Once in any case", Idempotency_Key="killed")
            except (OSError, HTTPException) as error:
                return 0, str(error)

        with psycopg.connect(running.stack.env["DATABASE_URL"]) as connection, ThreadPoolExecutor(50) as threads:
            connection.execute("SELECT 1 FROM conversations_conversation FOR UPDATE")
            first = threads.submit(call, 0)
            wait_until(lambda: place.sql(_WAITING) == [(1,)], 10)
            others = [threads.submit(call, number) for number in range(1, 25)]
            wait_until(lambda: sum(other.done() for other in others) >= 16, 10)  # refused: the first is under way
            webs[0].kill()
            connection.rollback()
            others += [threads.submit(call, number) for number in range(25, 50)]
        assert first.result()[0] == 0, "its process died before it could answer"
        answers = [other.result() for other in others]
        assert {status for status, _ in answers} <= {0, 201, 409}
        assert {body["code"] for status, body in answers if status == 409} == {"idempotency.inFlight"}
        last = places[1].reply(lead, "Once in any case", Idempotency_Key="killed")
        bodies = {str(body) for status, body in [*answers, last] if status == 201}
        assert len(bodies) == 1, "every 201 is the same answer"
    assert place.sql("SELECT count(*) FROM conversations_message WHERE content = 'Once in any case'") == [(1,)]


def test_the_same_lead_at_once_is_one_lead(place):
    answers = at_once(20, lambda number: place.create_lead("twin@example.net", request_title=f"Call {number}"))
    assert [status for status, _ in answers] == [201] * 20
    assert len({body["uid"] for _, body in answers}) == 1
    assert [body["created"] for _, body in answers].count(True) == 1


def test_the_same_form_twice_within_a_second_is_one_message(place):
    answers = at_once(10, lambda _: place.form(name="Ava", email="form@example.net", message="Only once"))
    assert [status for status, _ in answers] == [201] * 10
    assert place.sql("SELECT count(*) FROM conversations_message WHERE content = 'Only once'") == [(1,)]


def test_one_identifier_claimed_by_two_calls_at_once_is_one_conflict(place):
    emails = ["first@example.net", "second@example.net"]
    for _ in range(5):
        answers = at_once(2, lambda number: place.create_lead(emails[number], unique_id="A1"))
        assert Counter(status for status, _ in answers) == {201: 1, 409: 1} or {status for status, _ in answers} == {
            201,
            409,
        }
    assert place.sql("SELECT count(*) FROM leads_lead WHERE unique_id = 'A1'") == [(1,)]


def test_a_reply_while_the_card_is_being_disconnected_is_taken_or_refused(place, running):
    from tests.processes.conftest import inside

    lead = place.create_lead("gone@example.net")[1]["uid"]
    code = """
import sys
from accounts.actors import SYSTEM
from core.ids import decode
from accounts.models import Source
from integrations import services as cards
source = Source.objects.get(pk=decode("src", sys.stdin.read()))
cards.disconnect(card=source.leadreplyapi, actor=SYSTEM)
"""
    with ThreadPoolExecutor(9) as threads:
        ending = threads.submit(inside, running, code, place.source)
        answers = []
        while not ending.done():
            answers += [future.result() for future in [threads.submit(place.reply, lead, "Hello") for _ in range(8)]]
        answers += [place.reply(lead, "Hello")]
        ending.result()
    assert {status for status, _ in answers} <= {201, 401}
    assert answers[-1][0] == 401
    taken = [status for status, _ in answers].count(201)
    assert place.sql("SELECT count(*) FROM conversations_message WHERE content = 'Hello'") == [(taken,)]


def test_replies_and_arrivals_at_once_deadlock_nothing(place):
    lead = place.create_lead("busy@example.net")[1]["uid"]

    def mix(number):
        if number % 3:
            return place.reply(lead, f"Reply {number}")
        return place.create_lead("busy@example.net", request_title=f"Again {number}")

    assert {status for status, _ in at_once(60, mix)} == {201}
    assert place.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
