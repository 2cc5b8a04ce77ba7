"""The doorway of background jobs: what each category does."""

from __future__ import annotations

import time

from celery import shared_task
from django.db import close_old_connections

from conversations.mail import forgetting
from conversations.mail.taking import read_mail
from conversations.services.notifications import write_of_lead, write_to_team
from integrations import jobs, letters
from integrations.models import Letter, Replay
from integrations.outbox import hints
from integrations.outbox.health import TROUBLE
from integrations.services.invitations import write_invitation, write_password_link
from integrations.services.replays import run_replay
from integrations.services.trouble import tell_of_trouble, write_of_trouble
from leads.import_files import forget_files
from leads.importing import run_import
from leads.models import LeadImport

TURN_SECONDS = 5.0
WRITERS: dict[str, letters.Writer] = {
    Letter.Kind.INVITATION: write_invitation,
    Letter.Kind.PASSWORD: write_password_link,
    Letter.Kind.NEW_LEAD: write_of_lead,
    Letter.Kind.TROUBLE: write_of_trouble,
}
# By the queue that a worker serves: a mail that takes long and a large import keep nobody else waiting.
HANDLERS: dict[str, jobs.Handlers] = {
    hints.JOBS: {
        "notify-team": write_to_team,
        Letter.CATEGORY: letters.sender(WRITERS),
        TROUBLE: tell_of_trouble,
        Replay.CATEGORY: run_replay,
    },
    hints.MAIL: {"read-mail": read_mail},
    hints.IMPORTS: {LeadImport.CATEGORY: run_import},
}


@shared_task(ignore_result=True)
def run_due_jobs(queue: str) -> None:
    """Do what is due, for some seconds at most: a worker that was asked to end ends between two such turns."""
    close_old_connections()
    ends_at = time.monotonic() + TURN_SECONDS
    while jobs.run_due(HANDLERS[queue], one_each=queue == hints.IMPORTS):
        close_old_connections()
        if time.monotonic() > ends_at:
            hints.send(queue)  # there may be more
            return


@shared_task(ignore_result=True)
def forget_mails() -> None:
    forgetting.forget_mails()


@shared_task(ignore_result=True)
def forget_import_files() -> None:
    forget_files()
