"""Celery's doorways to what has to be done from time to time."""

from __future__ import annotations

from celery import shared_task

from core import partitions, retention


@shared_task(ignore_result=True)
def ensure_partitions() -> None:
    partitions.ensure_partitions()


@shared_task(ignore_result=True)
def forget_old_months() -> None:
    retention.forget_old_months()


@shared_task(ignore_result=True)
def forget_expired() -> None:
    retention.forget_expired()
