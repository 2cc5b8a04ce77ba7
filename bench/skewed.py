"""Run a Celery worker whose clock is ahead: python -m bench.skewed SECONDS celery -A config worker ..."""

from __future__ import annotations

import datetime
import runpy
import sys
import time


def skew(seconds: float) -> None:
    """Shift what Python code reads of the wall clock; the steady clock stays as it is."""
    real, real_ns, real_datetime = time.time, time.time_ns, datetime.datetime
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)

    class Ahead(real_datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return real_datetime.now(tz) + datetime.timedelta(seconds=seconds)

    import webhooks.delivery.attempts as deliver

    deliver.datetime = Ahead


if __name__ == "__main__":
    import django

    django.setup()
    skew(float(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module("celery", run_name="__main__", alter_sys=False)
