"""Celery's doorways. They decide nothing."""

from __future__ import annotations

from celery import shared_task

from core import partitions, retention
from integrations.outbox import running


@shared_task(ignore_result=True, acks_late=False)
def wake_deliveries() -> None:
    running.wake("webhook")


@shared_task(ignore_result=True, acks_late=False)
def wake_dispatches() -> None:
    running.wake("channel")


@shared_task(ignore_result=True)
def ensure_partitions() -> None:
    partitions.ensure_partitions()


@shared_task(ignore_result=True)
def forget_old_months() -> None:
    retention.forget_old_months()


@shared_task(ignore_result=True)
def forget_expired() -> None:
    retention.forget_expired()
