"""Celery's doorways to what has to be done from time to time."""

from __future__ import annotations

from celery import shared_task

from core import partitions, retention


@shared_task(ignore_result=True)
def ensure_partitions() -> None:
    partitions.ensure_partitions()


@shared_task(ignore_result=True)
def drop_expired_partitions() -> None:
    retention.drop_expired_partitions()


@shared_task(ignore_result=True)
def delete_expired_rows() -> None:
    retention.delete_expired_rows()
