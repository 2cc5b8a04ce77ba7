"""The doorway of background jobs: what each category does."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from conversations.mail import forgetting
from conversations.mail.taking import read_mail
from conversations.services.notifications import send_notification
from integrations import jobs
from integrations.models import Replay
from integrations.outbox.health import TROUBLE
from integrations.services.replays import run_replay
from integrations.services.trouble import tell_of_trouble
from leads.importing import forget_files, run_import
from leads.models import LeadImport

HANDLERS: jobs.Handlers = {
    "read-mail": read_mail,
    "notify-team": send_notification,
    TROUBLE: tell_of_trouble,
    Replay.CATEGORY: run_replay,
    LeadImport.CATEGORY: run_import,
}


@shared_task(ignore_result=True)
def run_due_jobs() -> None:
    close_old_connections()
    while jobs.run_due(HANDLERS):
        close_old_connections()


@shared_task(ignore_result=True)
def forget_mails() -> None:
    forgetting.forget_mails()


@shared_task(ignore_result=True)
def forget_import_files() -> None:
    forget_files()
