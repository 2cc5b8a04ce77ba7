"""Celery's doorways. They decide nothing."""

from __future__ import annotations

from celery import shared_task

from conversations.services import unanswered, uploads


@shared_task(ignore_result=True)
def sweep_uploads() -> None:
    uploads.sweep_uploads()


@shared_task(ignore_result=True)
def raise_alarms() -> None:
    unanswered.raise_alarms()
