"""How long pages and the Integrations tab's actions take, and whether they slow down as rows grow.

    python -m bench.pages [--rows 200000]

One web process, one person clicking. Each page is timed with some weeks of conversations and again with years of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from urllib.parse import urlencode

import psycopg

from bench.load import Outcome, once
from bench.place import inside, servers, set_up
from supervisor.stack import Stack

FEW, CALLS, PAGE_CALLS = 20_000, 60, 20  # 40 days, and the calls of each action and page
ACTION_WANTED_MS, GROWTH_WANTED = 200, 1.5
FILTERS = ["state=waiting", "state=snoozed", "waiting=24", "unread=1", "handled=team", "tag=Rare", "assignee=none",
           "assignee=me", "channel=website", "channel=sms", "tag=Rare&handled=team", "unread=1&state=waiting"]  # fmt: skip

LOG_IN = """
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from accounts.models import Membership, User
from accounts.models import Source
source = Source.objects.get()
user = User.objects.create_user("bench@example.com", "bench")
Membership.objects.create(organization=source.organization, user=user, role="owner")
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
from conversations.models import Conversation, Tag
Tag.objects.create(organization=source.organization, name="Rare")
conversation = Conversation.objects.order_by("id").last().public_id
print(json.dumps({"session": session.session_key, "source": source.public_id, "conversation": conversation}))
"""

# Copies of one row with what must differ made new, so that a new column needs no change here.
GROW = """
WITH pattern AS (SELECT * FROM leads_lead ORDER BY id LIMIT 1), made AS (
    SELECT at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(random()::text), 1, 19))::uuid AS id
    FROM (SELECT now() - number * interval '3 minutes' AS at FROM generate_series(%s::int, %s::int) number) moments
), leads AS (
    INSERT INTO leads_lead SELECT (jsonb_populate_record(NULL::leads_lead, to_jsonb(pattern)
        || jsonb_build_object('id', made.id, 'email', 'grown' || made.id || '@example.net'))).* FROM pattern, made
)
INSERT INTO conversations_conversation SELECT (jsonb_populate_record(NULL::conversations_conversation, to_jsonb(thread)
    || jsonb_build_object('id', made.id, 'lead_id', made.id, 'reply_token', replace(made.id::text, '-', ''),
        'last_message_at', made.at,
        -- A few of each kind: a filter that few rows pass is the one that is slow.
        'tags', CASE WHEN random() < 0.0002 THEN '["Rare"]'::jsonb ELSE '[]'::jsonb END,
        'handled_by', CASE WHEN random() < 0.0002 THEN 'team' ELSE 'external' END,
        'waiting_since', CASE WHEN random() < 0.01 THEN made.at END,
        'last_news_at', made.at))).*
FROM (SELECT * FROM conversations_conversation ORDER BY id LIMIT 1) thread, made
"""


def grow(stack: Stack, first: int, last: int) -> None:
    """Add a lead with a conversation for every three minutes of the past: the rate stays, the history grows."""
    with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute(GROW, [first, last])
        connection.execute("VACUUM ANALYZE")


def calls(made: dict[str, str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Return the pages, and the actions of the tab as HTMX makes them."""
    source = f"/sources/{made['source']}/"
    tab = f"{source}messaging/integrations/"
    token = "b" * 32
    head = f"Host: 127.0.0.1\r\nCookie: sessionid={made['session']}; csrftoken={token}\r\n"

    def get(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()

    def post(path: str, **fields: str) -> bytes:
        body = urlencode(fields).encode()
        more = f"HX-Request: true\r\nX-CSRFToken: {token}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        return f"POST {path} HTTP/1.1\r\n{head}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body

    conversation = f"/inbox/{made['conversation']}/"
    filters = ("", *(f"?{query}" for query in FILTERS))
    paths = [f"/inbox/{query}" for query in filters] + [conversation, f"{conversation}thread/"]
    paths += [f"/inbox/changes/?open={made['conversation']}", "/leads/", "/sources/", "/activity/", source, tab]
    pages = {path: get(path) for path in paths}
    card = f"{tab}lead-reply-api/"
    actions = {
        "Enable": post(f"{card}enabled/", on="1"),
        "options": post(f"{card}options/", needs_contact="on"),
        "Validate": post(f"{card}check/"),
        "Regenerate": post(f"{card}regenerate/", keep="0"),
        "Set up the webhook": post(f"{tab}rest-webhook/set-up/", url="https://hooks.example.com/in"),
        "Test webhook": post(f"{tab}rest-webhook/check/"),
    }
    return pages, actions


def timed(stack: Stack, raws: dict[str, bytes], count: int = CALLS) -> dict[str, Outcome]:
    outcomes = {}
    for name, raw in raws.items():
        outcomes[name] = outcome = Outcome()
        asyncio.run(once(stack.port, raw))
        for _ in range(count):
            started = time.perf_counter()
            outcome.statuses[asyncio.run(once(stack.port, raw))] += 1
            outcome.latencies.append(time.perf_counter() - started)
        assert set(outcome.statuses) == {200}, (name, outcome.statuses)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    with servers() as (_, stack):
        set_up(stack)
        session = json.loads(inside(stack, LOG_IN))
        stack.start_web()
        pages, actions = calls(session)
        grow(stack, 1, FEW)
        few, done = timed(stack, pages, PAGE_CALLS), timed(stack, actions)
        floor = timed(stack, {"floor": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"})["floor"].percentile(0.5)
        grow(stack, FEW + 1, FEW + options.rows)
        many = timed(stack, pages, PAGE_CALLS)
    print(f"a bare answer (/healthz): p50 {floor:.1f} ms")
    slower = []
    for name, outcome in few.items():
        before, after = outcome.percentile(0.5), many[name].percentile(0.5)
        shown = name.replace(session["source"], "<id>").replace(session["conversation"], "<id>")
        print(f"{shown:45} p50 {before:6.1f} ms, with {options.rows:,} more {after:6.1f} ms: x {after / before:.2f}")
        slower += [shown] if after > GROWTH_WANTED * before else []
    for name, outcome in done.items():
        print(f"{name:45} p50 {outcome.percentile(0.5):6.1f} ms, p99 {outcome.percentile(0.99):6.1f} ms")
        assert options.smoke or outcome.percentile(0.99) < ACTION_WANTED_MS, f"{name} takes too long"
    assert options.smoke or not slower, f"slow down as rows grow: {', '.join(slower)}"


if __name__ == "__main__":
    main()
