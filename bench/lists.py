"""The first and the thousandth page of a million leads, and each filter with a value that few leads have.

    python -m bench.lists [--leads 1000000]

Fails where one takes more than 1.5 times as long as the first page.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import urllib.request
from typing import Any
from urllib.parse import quote

import psycopg

from bench.crash_stack import SET_UP
from bench.place import inside, servers
from supervisor.stack import Stack

PAGE, LIMIT, TIMES, RATIO_WANTED = 1_000, 100, 60, 1.5
# Filters that find one lead, or none.
FEW = {
    "email": "ava4711@example.net",
    "phone": "+14150004711",
    "unique_id": "crm-4711",
    "status": "Lost for good",
    "tag": "vip",
    "is_new": "false",
    "created_after": "2126-01-01T00:00:00Z",
    "updated_after": "2126-01-01T00:00:00Z",
    "q": "ava4711@",
}
FILL = """
INSERT INTO leads_lead (id, organization_id, source_id, first_name, last_name, email, phone, phone_e164, address,
    unique_id, status, tags, custom_fields, origin, source_url, opt_in, opt_in_transactional_sms, not_announced_to,
    returned_at, created_at, updated_at, last_message_at)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - %(count)s + n), 12, '0') || '7000'
        || substr(md5(n::text), 1, 16))::uuid,
    source.organization_id, source.id, 'Ava' || n, 'Brooks', 'ava' || n || '@example.net', '',
    '+1415' || lpad(n::text, 7, '0'), '', 'crm-' || n,
    CASE WHEN n = 4711 THEN 'Lost for good' WHEN n %% 3 = 0 THEN 'Won' ELSE 'Lead' END,
    CASE WHEN n = 4711 THEN '{vip}'::text[] WHEN n %% 5 = 0 THEN ARRAY['web', 'campaign-' || n %% 997]
        ELSE '{}' END,
    '{}', '', '', false, false, '{}', CASE WHEN n = 4711 THEN now() END, now() - interval '1 day', now() - interval '1 day', now()
FROM generate_series(1, %(count)s) n, accounts_source source WHERE source.id = %(source)s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--smoke", action="store_true", help="only see that it works: assert nothing about speed")
    options = parser.parse_args()
    with servers() as (_, stack):
        business = json.loads(inside(stack, SET_UP, "lists http://127.0.0.1:9/hook"))
        with psycopg.connect(stack.env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("SET statement_timeout = 0")
            connection.execute("ALTER TABLE leads_lead SET (autovacuum_enabled = off)")
            connection.execute(FILL, {"count": options.leads, "source": business["source"]})
            connection.execute("VACUUM ANALYZE leads_lead")
        stack.start_web()
        cursor, page = "", 1
        while page < min(PAGE, options.leads // LIMIT):
            cursor, page = read(stack, business["token"], cursor)["meta"]["next_cursor"], page + 1
        first, deep = (median(stack, business["token"], one) for one in ("", cursor))
        few = {name: median(stack, business["token"], "", f"&{name}={quote(value)}") for name, value in FEW.items()}
    print(f"{options.leads:,} leads: page 1 {first:.1f} ms, page {page:,} {deep:.1f} ms ({deep / first:.2f}x)")
    print(f"one by {', '.join(f'{name} {each:.1f} ms' for name, each in few.items())}")
    assert options.smoke or max(deep, *few.values()) <= RATIO_WANTED * first


def read(stack: Stack, token: str, cursor: str, more: str = "") -> Any:
    url = f"http://127.0.0.1:{stack.port}/v1/leads?limit={LIMIT}{more}{f'&cursor={cursor}' if cursor else ''}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def median(stack: Stack, token: str, cursor: str, more: str = "") -> float:
    """Milliseconds of one call."""
    times = []
    for _ in range(TIMES):
        started = time.perf_counter()
        read(stack, token, cursor, more)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
