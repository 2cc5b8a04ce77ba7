"""The whole product as `make run` starts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from supervisor.postgres import Postgres
from supervisor.stack import Servers, Stack
from supervisor.valkey import Valkey


@dataclass
class Running:
    """The whole product as `make run` starts it, with handles on its parts."""

    stack: Stack
    postgres: Postgres
    valkey: Valkey

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.stack.port}"


@pytest.fixture(scope="session")
def running(tmp_path_factory) -> Iterator[Running]:
    """Web, worker, beat, mail in and out, with the demo's data, on ports and servers of their own."""
    folder = tmp_path_factory.mktemp("demo run's")  # with a blank and a quote, as checkouts may have
    hidden = {name: os.environ.pop(name) for name in ("DATABASE_URL", "BROKER_URL") if name in os.environ}
    try:
        with Servers(folder, durable=True) as servers:
            stack = Stack(folder, servers.env)
            stack.env.pop("LEADWIRE_PLAIN_STATIC", None)
            # Hundreds of calls are one caller's here; tests/processes/test_limits.py tries the limit itself.
            stack.env |= {"LEADWIRE_CALLS_PER_MINUTE": str(10**6), "LEADWIRE_CALLS_PER_HOUR": str(10**6)}
            stack.prepare()
            try:
                stack.start()
                postgres, valkey = servers.running
                assert isinstance(postgres, Postgres)
                assert isinstance(valkey, Valkey)
                yield Running(stack, postgres, valkey)
            finally:
                stack.stop()
    finally:
        os.environ.update(hidden)


@pytest.fixture(scope="session")
def stack(running) -> Stack:
    return running.stack
