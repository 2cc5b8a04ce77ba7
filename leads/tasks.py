"""Celery's doorways. They decide nothing."""

from __future__ import annotations

from celery import shared_task

from leads.imports.files import forget_files


@shared_task(ignore_result=True)
def forget_import_files() -> None:
    forget_files()
