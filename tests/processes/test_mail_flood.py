"""1,000 mails from 50 senders at once, while the worker that reads them is killed: each is a message, once."""

from __future__ import annotations

import os
import signal
import smtplib
import threading
import time
from collections import Counter

import pytest

from tests.support.files import PDF, mail_with
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

SENDERS, MAILS_OF_EACH = 50, 20
WITH_FILE = 5  # of each sender's mails
SECONDS = 240
ADDRESS = "SELECT local_part FROM messaging_channelconnection WHERE source_id = '{}' AND local_part <> ''"
MESSAGES = "SELECT content FROM conversations_message WHERE source_id = '{}' AND content LIKE 'Mail %'"
FILES = "SELECT state FROM conversations_attachment WHERE source_id = '{}'"


def test_each_accepted_mail_is_a_message_and_each_file_is_kept_once(place, running):
    stack = running.stack
    [[address]] = place.sql(ADDRESS.format(source_uuid(place)))
    to, accepted = f"{address}@{stack.env.get('MAIL_DOMAIN', 'mail.localhost')}", Counter[str]()

    def send(sender: int) -> None:
        with smtplib.SMTP("127.0.0.1", stack.mail_port, timeout=60) as smtp:
            for number in range(MAILS_OF_EACH):
                text = f"Mail {sender}-{number}"
                files = [(f"{sender}-{number}.pdf", PDF)] if number < WITH_FILE else []
                raw = mail_with(*files, text=text, sender=f"s{sender}@example.net")
                deliver(smtp, sender, to, raw.replace(b"<files@", f"<{sender}.{number}@".encode()))
                accepted[text] += 1

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for thread in senders:
        thread.start()
    for _ in range(2):
        time.sleep(2.5)
        os.killpg(stack.child("mail").process.pid, signal.SIGKILL)
        stack.restart("mail")
    while any(thread.is_alive() for thread in senders):
        place.sql("UPDATE api_ratelimitwindow SET minute_count = 0, hour_count = 0 RETURNING 1")  # minutes pass
        time.sleep(0.5)
    assert len(accepted) == SENDERS * MAILS_OF_EACH
    wait_until(lambda: len(messages(place)) >= len(accepted), SECONDS)
    assert Counter(messages(place)) == accepted
    wait_until(lambda: files(place)["waiting"] == 0, SECONDS)
    assert files(place) == {"ready": SENDERS * WITH_FILE}


def deliver(smtp: smtplib.SMTP, sender: int, to: str, raw: bytes) -> None:
    """Hand over a mail, and again while the door is closed to a flood (451), as a mail server does."""
    while True:
        try:
            smtp.sendmail(f"s{sender}@example.net", to, raw)
            return
        except smtplib.SMTPDataError as refused:
            if refused.smtp_code != 451:
                raise
            time.sleep(0.5)


def source_uuid(place) -> str:
    from core.ids import decode

    return str(decode("src", place.source))


def messages(place) -> list[str]:
    return [content for (content,) in place.sql(MESSAGES.format(source_uuid(place)))]


def files(place) -> Counter[str]:
    """How many files there are in each state."""
    return Counter(state for (state,) in place.sql(FILES.format(source_uuid(place))))
