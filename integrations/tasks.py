"""Celery's doorways. They decide nothing."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from integrations import partitions
from integrations.models import IdempotencyKey, Job, OnceUsed, RateWindow, ReplyKey, WebhookSecret
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
def forget_expired() -> None:
    """Remove what has served: old idempotency keys, nonces, windows, finished jobs, keys whose overlap ended."""
    now = timezone.now()
    IdempotencyKey.objects.filter(created_at__lt=now - timedelta(hours=25)).delete()
    OnceUsed.objects.filter(expires_at__lt=now).delete()
    RateWindow.objects.filter(started_at__lt=now - timedelta(hours=2)).delete()
    Job.objects.filter(finished_at__lt=now - timedelta(days=7)).delete()
    ReplyKey.objects.filter(ends_at__lt=now).delete()
    WebhookSecret.objects.filter(ends_at__lt=now).delete()
