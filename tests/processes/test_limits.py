"""The limit is exact over processes: three web processes, forty callers, two keys of one principal."""

from __future__ import annotations

import multiprocessing
import urllib.error
import urllib.request
from collections import Counter

import pytest

from tests.processes.conftest import another_web, inside

pytestmark = pytest.mark.processes
ROTATE = """
import sys
from datetime import timedelta
from accounts.actors import SYSTEM
from core.ids import decode
from accounts.models import Source
from integrations import services as cards
source = Source.objects.get(pk=decode("src", sys.stdin.read()))
made = cards.regenerate(card=source.leadreplyapi, actor=SYSTEM, overlap=timedelta(hours=1))
print(made.secrets["Secret key"])
"""


@pytest.fixture
def web(running):
    """Another web server on the same database, of three processes, with the limit that a fresh installation has."""
    limits = ("LEADWIRE_CALLS_PER_MINUTE", "LEADWIRE_CALLS_PER_HOUR")
    with another_web(running, processes=3, without=limits) as server:
        yield server.url


def hammer(url: str, key: str, count: int, results) -> None:
    seen: Counter[int] = Counter()
    for _ in range(count):
        request = urllib.request.Request(f"{url}/v1/whoami", headers={"Authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                seen[answer.status] += 1
        except urllib.error.HTTPError as error:
            seen[error.code] += 1
    results.put(seen)


def test_exactly_100_of_400_calls_get_through(place, running, web):
    keys = [place.key, inside(running, ROTATE, place.source).strip()]
    results: multiprocessing.Queue = multiprocessing.Queue()
    callers = [
        multiprocessing.Process(target=hammer, args=(web, keys[number % 2], 10, results)) for number in range(40)
    ]
    for caller in callers:
        caller.start()
    total: Counter[int] = sum((results.get(timeout=60) for _ in callers), Counter())
    for caller in callers:
        caller.join()
    assert total == {200: 100, 429: 300}
