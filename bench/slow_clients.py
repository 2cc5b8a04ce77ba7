"""A healthy client beside 500 slow ones: its time alone and beside each kind, on the form, the API, a page and SMTP.

    python -m bench.slow_clients [--clients 500] [--seconds 6]

Fails when anything is refused to it, or when its median beside them is more than 1.5 times its median alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import smtplib
import statistics
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench.crash_stack import SET_UP, CrashStack
from bench.place import inside, servers
from bench.slow import HALF_A_HEAD, SlowClients, half_a_body
from supervisor.limits import raise_open_files

TIMES_WANTED = 1.5
Kinds = dict[str, tuple[bytes, bool]]  # what each sends first, and whether it reads its answer
PAGE = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
_number = itertools.count()


def fetch(url: str, body: dict[str, str] | None = None, key: str = "") -> None:
    headers = {"X-Forwarded-For": f"10.0.{next(_number) % 65536 >> 8}.{next(_number) % 256}"}
    headers |= {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=30) as answer:
        assert answer.status in (200, 201)
        answer.read()


def timed(work: Callable[[], None], seconds: float) -> float:
    """Return the median of the milliseconds of one after the other."""
    times, end = [], time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        work()
        times.append((time.perf_counter() - started) * 1000)
        time.sleep(0.05)
    return statistics.median(times)


def send_mail(port: int, address: str) -> None:
    """One mail, on a connection of its own."""
    mail = f"From: a{next(_number)}@x.example\r\nSubject: Tap\r\n\r\nIt leaks.\r\n"
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail("a@x.example", address, mail)


def slow_mails(address: str) -> Kinds:
    """Sockets that say nothing, half a command, or half a mail."""
    begun = f"HELO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<{address}>\r\nDATA\r\nSubject: half a ma"
    return {"nothing said": (b"", False), "half a command": (b"HELO ", False), "half a mail": (begun.encode(), False)}


def compare(name: str, work: Callable[[], None], port: int, kinds: Kinds, options: argparse.Namespace) -> float:
    """Print what it takes alone and beside each kind of slow client; return the worst ratio."""
    alone, worst = timed(work, options.seconds), 0.0
    for kind, (opening, reads) in kinds.items():
        with SlowClients(port, opening, options.clients, reads=reads):
            time.sleep(2)
            beside = timed(work, options.seconds)
        worst = max(worst, beside / alone)
        line = f"{name:5} alone {alone:6.1f} ms, beside {options.clients} x {kind:16} {beside:6.1f} ms: {beside / alone:.2f}"
        print(line, flush=True)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--smoke", action="store_true", help="only see that nothing is refused: assert no times")
    options = parser.parse_args()
    raise_open_files()
    with servers() as (_, plain), ExitStack() as stack:
        # Each call of the healthy client comes from an address of its own: the form counts by address.
        product = CrashStack(plain.folder, {**plain.env, "TRUSTED_PROXIES": "1"})
        stack.callback(product.stop)
        product.env |= {"LEADWIRE_PLAIN_STATIC": "1", "LOG_LEVEL": "ERROR"}
        business = json.loads(inside(product, SET_UP, "slow http://127.0.0.1:9/hook"))
        source = inside(product, "from accounts.models import Source; print(Source.objects.get().public_id)")
        product.start_web()
        base = f"http://127.0.0.1:{product.port}"
        token = business["token"]
        product.start_mail()
        address = inside(
            product,
            "from messaging.models import ChannelConnection; print(ChannelConnection.objects.exclude(local_part='').first().address)",
        )
        works: dict[str, Callable[[], None]] = {
            "form": lambda: fetch(
                f"{base}/forms/{source}", {"name": "Ava", "email": f"a{next(_number)}@x.example", "message": "Tap"}
            ),
            "API": lambda: fetch(f"{base}/v1/whoami", key=token),
            "page": lambda: fetch(f"{base}/accounts/login/"),
        }
        kinds = {
            "half a head": (HALF_A_HEAD, False),
            "half a body": (half_a_body("/v1/leads"), False),
            "half a form": (half_a_body(f"/forms/{source}"), False),
            "a byte a second": (PAGE, True),
        }
        worst = 0.0
        for name, work in works.items():
            worst = max(worst, compare(name, work, product.port, kinds, options))
        work = partial(send_mail, product.mail_port, address)
        worst = max(worst, compare("SMTP", work, product.mail_port, slow_mails(address), options))
        if not options.smoke:
            assert worst <= TIMES_WANTED, f"over {TIMES_WANTED} times its time alone"


if __name__ == "__main__":
    main()
