"""The Celery application: it carries hints and ordinary jobs. What must not be lost is in PostgreSQL."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import beat_init, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402

from config.checks import refuse_unsafe  # noqa: E402
from outbox import hints  # noqa: E402

DELIVER_SLOTS = int(os.environ.get("LEADWIRE_DELIVER_SLOTS", "400"))
SEND_SLOTS = int(os.environ.get("LEADWIRE_SEND_SLOTS", "12"))


def _looks_for_jobs(queue: str) -> dict[str, object]:
    """Every five seconds, should a hint be lost."""
    how = {"queue": queue, "expires": 5}
    return {"task": hints.RUN_JOBS, "args": [queue], "schedule": 5.0, "options": how}


app = Celery("leadwire")
app.set_default()
app.conf.update(
    broker_url=settings.BROKER_URL or "memory://",
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=1,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_default_queue="jobs",
    task_default_delivery_mode="transient",
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    timezone="UTC",
    beat_schedule={
        **{queue: _looks_for_jobs(queue) for queue in ("jobs", "mail", "files", "imports")},
        "partitions": {"task": "core.tasks.ensure_partitions", "schedule": 86_400.0},
        "months": {"task": "core.tasks.drop_expired_partitions", "schedule": 3_600.0},
        "import-files": {"task": "leads.tasks.forget_import_files", "schedule": 3_600.0},
        "uploads": {"task": "conversations.tasks.sweep_uploads", "schedule": 3_600.0},
        "unanswered": {"task": "conversations.tasks.raise_alarms", "schedule": 10.0, "options": {"expires": 10}},
        "mails": {"task": "messaging.tasks.forget_mails", "schedule": 3_600.0},
        "templates": {"task": "messaging.tasks.refresh_templates", "schedule": 3_600.0},
        "forget": {"task": "core.tasks.delete_expired_rows", "schedule": 3_600.0},
    },
)
app.autodiscover_tasks(["core", "outbox", "messaging", "leads", "conversations"])


def send_hints_briefly() -> None:
    """In a web process a hint is worth a second, no more: the names are those of the Redis and AMQP clients."""
    app.conf.broker_transport_options = {
        "socket_timeout": 1, "socket_connect_timeout": 1, "max_retries": 0,
        "connect_timeout": 1, "read_timeout": 1, "write_timeout": 1,
    }  # fmt: skip


class Streams(bootsteps.StartStopStep):
    """Run the outbox's streams in the worker that serves their queues: they start and stop with it."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self.threads: list[Any] = []

    def start(self, worker: Any) -> None:
        from celery.worker.state import maybe_shutdown

        from config import schema_state
        from conversations.services.sending import send_claimed
        from conversations.webhook_bodies import render_bodies
        from core import partitions
        from messaging.stream import Dispatches
        from outbox import streams
        from outbox.streams import StreamThread
        from outbox.sweeps import sweeper
        from webhooks.delivery.stream import Deliveries
        from webhooks.sequencer import sequencer

        schema_state.wait_for_migrations(maybe_shutdown)
        partitions.ensure_partitions()
        queues = set(worker.app.amqp.queues.consume_from)
        if "deliver" in queues:
            for thread in (sequencer(), sweeper()):
                self.threads.append(thread)
                thread.start()
            self._run("webhook", StreamThread(lambda: Deliveries(DELIVER_SLOTS, render_bodies)), streams)
        if "send" in queues:
            self._run("channel", StreamThread(lambda: Dispatches(SEND_SLOTS, send_claimed)), streams)

    def _run(self, kind: str, thread: Any, streams: Any) -> None:
        streams.add(kind, thread)
        self.threads.append(thread)
        thread.start()

    def stop(self, worker: Any) -> None:
        for thread in self.threads:  # all of them first: none may take new work while another one finishes
            thread.ask_to_stop()
        for thread in self.threads:
            thread.stop()


app.steps["worker"].add(Streams)


def begin(**_: Any) -> None:
    """Start nothing that would be unsafe."""
    refuse_unsafe()


worker_init.connect(begin)
beat_init.connect(begin)
