"""Channels, end to end: callbacks of providers, sends through one, and the pace of a connection over three workers.

    python -m bench.channels [--seconds 10] [--smoke]

Twilio is a small server that answers in 100 ms. Wanted: 300 callbacks/s on two web processes; 200 sends/s by one
provider; a limit of 10/s never passed in any second by the provider's own clock, and 95 % of it reached, while another
connection beside it is not slowed. `--smoke` asks for half, and for the limit all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from urllib.parse import urlencode

import psycopg

from bench.load import Outcome, closed_loop
from bench.place import inside, servers
from messaging.twilio.signature import sign
from supervisor import ports
from supervisor.stack import ROOT, WORKER, Stack

AUTH_TOKEN = "bench-auth-token"
ANSWER_MS, CALLERS, WORKERS = 100, 16, 3
LIMIT, LIMITED, SENDS = 10, 120, 2_000  # messages a second, and how many of each
CALLBACKS_WANTED, SENDS_WANTED, PART_WANTED = 300, 200, 0.95
SET_UP = """
import json, sys
from accounts.actors import SYSTEM
from accounts.models import Organization
from messaging.models import Pace
from messaging.registry import PROVIDERS
from messaging.services import connect
from sources.services import create_source
organization = Organization.objects.create(name="Bench")
business = create_source(organization=organization, actor=SYSTEM, name="Bench")
made = {}
for name, number in (("limited", "+15005550001"), ("fast", "+15005550002")):
    source = create_source(organization=organization, actor=SYSTEM, name=name, parent=business)
    settings = {"account_sid": "AC" + "0" * 32, "auth_token": "bench-auth-token"}
    connection = connect(source=source, actor=SYSTEM, provider=PROVIDERS["twilio"], name=name, own_address=number,
                         settings=settings)
    connection.lane.max_in_flight = 64
    connection.lane.save()
    made[name] = {"url": connection.callback_url, "number": number, "id": connection.pk}
Pace.objects.filter(lane__connection=made["limited"]["id"]).update(per_second=10)
Pace.objects.filter(lane__connection=made["fast"]["id"]).delete()
print(json.dumps(made))
"""
# One lead and one conversation each, as arrivals make them, and as many answers of the team in line.
IN_LINE = """
import sys
from accounts.models import Source
from conversations.models import Message
from conversations.services.arrivals import InboundContent, arrive
from conversations.services.replies import Author, Reply, send_reply
from django.db import transaction
from leads.services import Details, identify_by_channel
from messaging.models import ChannelConnection, Dispatch
pk, count = map(int, sys.stdin.read().split())
connection = ChannelConnection.objects.select_related("source").get(pk=pk)
with transaction.atomic():
    for number in range(count):
        phone = f"+1415{pk % 10}{number:06d}"
        who = identify_by_channel(source=connection.source, details=Details(phone=phone))
        arrive(source=connection.source, who=who, words=InboundContent("Hi", "Hi", connection))
        send_reply(lead_id=who.lead.pk, reply=Reply("We come today."), author=Author(Message.Author.STAFF, "Dana"))
print(count)
"""


# The other connection beside the limited one: an answer every 50 ms.
BESIDE = """
import sys, time
from conversations.models import Conversation, Message
from conversations.services.replies import Author, Reply, send_reply
pk = int(sys.stdin.read())
for conversation in Conversation.objects.filter(connection=pk).order_by("id")[:200]:
    send_reply(lead_id=conversation.lead_id, reply=Reply("One more."), author=Author(Message.Author.STAFF, "Dana"))
    time.sleep(0.05)
print(pk)
"""
_WAITED = """
SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - created_at)) * 1000
FROM conversations_message WHERE connection_id = %s AND content = 'One more.'
"""


def p99_waited(stack: Stack, connection_id: int) -> float:
    """Milliseconds from an answer of the other connection to the record that the provider has it."""
    time.sleep(2)
    with psycopg.connect(stack.env["DATABASE_URL"]) as database:
        row = database.execute(_WAITED, [connection_id]).fetchone()
    assert row
    return float(row[0])


def callbacks(stack: Stack, connection: dict[str, str], seconds: float) -> Outcome:
    """SMS brought by 16 callers at once, each with its own id and its right signature."""

    def make(number: int) -> bytes:
        fields = {"MessageSid": f"SM{number:032d}", "From": f"+1212{number:07d}", "To": connection["number"]}
        fields |= {"Body": "My tap leaks.", "NumMedia": "0"}
        body = urlencode(fields).encode()
        path = "/" + connection["url"].split("/", 3)[3]
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"X-Twilio-Signature: {sign(connection['url'], fields.items(), AUTH_TOKEN)}\r\n"
        )
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    return asyncio.run(closed_loop(stack.port, make, connections=CALLERS, seconds=seconds))


def start_workers(stack: Stack) -> None:
    for number in range(WORKERS):
        words = ["-n", f"send{number}@%h", "-Q", "send", "-P", "threads", "-c", "2"]
        stack._run(f"worker-{number}", [*WORKER, *words], LEADWIRE_SEND_SLOTS="32")


def taken(url_file: str) -> dict[str, list[float]]:
    """When the provider took messages, by the number that they came from."""
    times: dict[str, list[float]] = {}
    with open(url_file) as file:
        for line in file:
            number, at = line.split()
            times.setdefault(number, []).append(float(at))
    return times


def most_in_a_second(times: list[float]) -> int:
    ordered, first, most = sorted(times), 0, 0
    for last, moment in enumerate(ordered):
        while ordered[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def rate(times: list[float]) -> float:
    return (len(times) - 1) / (max(times) - min(times))


def wait_until_sent(stack: Stack, count: int, url_file: str, number: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while len(taken(url_file).get(number, [])) < count:
        assert time.monotonic() < deadline, f"{number}: {len(taken(url_file).get(number, []))} of {count}"
        time.sleep(0.2)


def unread(stack: Stack) -> int:
    with psycopg.connect(stack.env["DATABASE_URL"]) as database:
        row = database.execute("SELECT count(*) FROM messaging_inboundcall WHERE outcome = 'waiting'").fetchone()
    assert row
    return int(row[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    part = 0.5 if options.smoke else 1
    count = SENDS // 4 if options.smoke else SENDS
    port = ports.choose()
    with servers() as (_, stack), ExitStack() as others:
        url_file = str(stack.folder / "taken.txt")
        command = [sys.executable, "-m", "bench.slow_provider", str(port), str(ANSWER_MS), url_file]
        others.callback(subprocess.Popen(command, cwd=ROOT).kill)
        stack.env |= {"LEADWIRE_TWILIO_URL": f"http://127.0.0.1:{port}"}
        made = json.loads(inside(stack, SET_UP))
        stack.start_web()
        came = callbacks(stack, made["fast"], options.seconds)
        assert set(came.statuses) == {200}, came.statuses
        print(f"callbacks: {came.rate:.0f}/s, p99 {came.percentile(0.99):.0f} ms, {unread(stack)} kept for later")
        inside(stack, IN_LINE, f"{made['fast']['id']} {count}")
        start_workers(stack)
        wait_until_sent(stack, count, url_file, made["fast"]["number"], 120)
        fast = taken(url_file)[made["fast"]["number"]]
        inside(stack, IN_LINE, f"{made['limited']['id']} {LIMITED}")
        inside(stack, BESIDE, str(made["fast"]["id"]))
        wait_until_sent(stack, LIMITED, url_file, made["limited"]["number"], 120)
        limited = taken(url_file)[made["limited"]["number"]]
        waited = p99_waited(stack, made["fast"]["id"])
    gaps = [after - before for before, after in zip(sorted(limited), sorted(limited)[1:], strict=False)]
    print(f"sends: {rate(fast):.0f}/s through a provider that takes {ANSWER_MS} ms; first 100 left out: "
          f"{rate(sorted(fast)[100:]):.0f}/s")  # fmt: skip
    print(f"another connection beside the limited one: p99 {waited:.0f} ms from answer to sent")
    print(f"a limit of {LIMIT}/s: at most {most_in_a_second(limited)} in a second, {rate(limited):.2f}/s,"
          f" gaps of {statistics.median(gaps) * 1000:.0f} ms")  # fmt: skip
    assert len(limited) == LIMITED
    assert len(fast) == count
    assert most_in_a_second(limited) <= LIMIT
    assert rate(limited) >= LIMIT * PART_WANTED * (part if options.smoke else 1)
    assert came.rate >= CALLBACKS_WANTED * part, f"{came.rate:.0f}/s, wanted {CALLBACKS_WANTED}"
    sends = rate(sorted(fast)[100:])  # the workers are starting at first
    assert sends >= SENDS_WANTED * part, f"{sends:.0f}/s, wanted {SENDS_WANTED}"
    assert waited < ANSWER_MS * 5


if __name__ == "__main__":
    main()
