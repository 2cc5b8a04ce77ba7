"""Celery's doorways. They decide nothing."""

from __future__ import annotations

from celery import shared_task

from messaging import template_lists
from messaging.email import forgetting


@shared_task(ignore_result=True)
def forget_mails() -> None:
    forgetting.forget_mails()


@shared_task(ignore_result=True)
def refresh_templates() -> None:
    template_lists.refresh_all()
