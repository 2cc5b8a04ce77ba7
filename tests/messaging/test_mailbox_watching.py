"""The process that watches mailboxes: mails are kept as they come, whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.db import connection as database
from django.utils import timezone

from messaging.models import InboundMail, MailFolder
from messaging.services import change
from outbox.models import Job
from supervisor.stack import ROOT
from tests.support.killed_watcher import POINTS
from tests.support.mailboxes import is_watched, look, numbered, understand, until

pytestmark = pytest.mark.django_db(transaction=True)


def test_mails_are_kept_as_they_come_and_a_cut_connection_is_made_again(
    mailbox, imap_server, watched, monkeypatch, actor
):
    monkeypatch.setattr("messaging.mailbox.watching.AGAIN_SECONDS", (0.2,))
    monkeypatch.setattr("messaging.mailbox.watching.LOOK_SECONDS", 0.2)
    until(lambda: is_watched(mailbox))
    for number in range(1, 4):
        imap_server.put(*numbered(number))
        until(lambda count=number: InboundMail.objects.count() == count)
    imap_server.stop()
    until(lambda: MailFolder.objects.get().failing_since)
    assert "cannot be used" in MailFolder.objects.get().last_error
    imap_server.password = "changed"
    imap_server.start()
    until(lambda: "refuses" in MailFolder.objects.get().last_error)
    imap_server.put(*numbered(4))
    change(connection=mailbox, actor=actor, settings={"password": "changed"})
    until(lambda: is_watched(mailbox))
    assert [message.content for message in understand()] == ["Mail 1", "Mail 2", "Mail 3", "Mail 4"]


@contextmanager
def watcher_process(*point: str) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py fetch_mail` on the test's database, which may kill itself at a point."""
    place = database.settings_dict
    host = quote(place["HOST"], safe="")
    url = f"postgres://{place['USER']}:{place['PASSWORD']}@{host}:{place['PORT']}/{place['NAME']}"
    words = [sys.executable, "-m", "tests.support.killed_watcher", *point]
    process = subprocess.Popen(words, cwd=ROOT, env={**os.environ, "DATABASE_URL": url}, stdout=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


def as_if_understood(is_done) -> bool:
    """Until it is done, mark mails as read: the watcher waits for those who read them."""
    InboundMail.objects.filter(outcome="waiting").update(outcome="message")
    return bool(is_done())


def test_a_watcher_that_is_killed_anywhere_loses_no_mail_and_doubles_none(mailbox, imap_server):
    look(mailbox)
    for turn, point in enumerate(POINTS):
        imap_server.put(*numbered(*range(turn * 100, turn * 100 + 100)))
        with watcher_process(point) as killed:
            until(lambda process=killed: as_if_understood(lambda: process.poll() is not None), 60)
        assert killed.returncode == -signal.SIGKILL, point
    began = timezone.now()
    with watcher_process() as ending:
        until(lambda: as_if_understood(lambda: InboundMail.objects.count() >= 1_000), 60)
        until(lambda: MailFolder.objects.filter(read_at__gt=began).exists())
        ending.terminate()
        assert ending.wait(30) == 0
    # Sorted: the ids of two mails that are kept in one millisecond say nothing of their order.
    kept = sorted(bytes(raw) for raw in InboundMail.objects.values_list("raw", flat=True))
    # A mailbox has CRLF at the end of each line, and so has what is kept.
    assert kept == sorted(raw.replace(b"\n", b"\r\n") for raw in numbered(*range(1_000)))
    assert Job.objects.filter(category="read-mail").count() == 1_000
