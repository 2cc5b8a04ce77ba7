"""Write to people of the team: one mail for each, each a job of its own, so that nobody's mailbox hinders another's."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable, Iterable
from typing import NamedTuple
from uuid import UUID, uuid5

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import Letter, User
from core.smtp import patient_connection, reply_of
from outbox import hints
from outbox.models import Job

logger = logging.getLogger(__name__)

_NAMES = UUID("5f0d1b2e-7f0c-4a53-9e0e-2f2d2c6f6c11")  # of letters' ids (RFC 9562, 5.5)


class LetterText(NamedTuple):
    """What a letter says."""

    subject: str
    body: str


Writer = Callable[[Letter], LetterText | None]  # None: there is nothing to say any more


@transaction.atomic
def post(kind: str, *, about: UUID, to: Iterable[User], organization_id: UUID, occasion: str = "") -> None:
    """Send each person a letter, as jobs of this transaction. The same occasion posted again sends nothing more."""
    for person in to:
        name = f"{kind}:{about}:{person.pk}:{occasion}"
        values = {"user": person, "kind": kind, "about_id": about}
        letter, is_new = Letter.objects.get_or_create(pk=uuid5(_NAMES, name), defaults=values)
        if is_new:
            Job.objects.create(organization_id=organization_id, category=Letter.CATEGORY, subject_id=letter.pk)
    transaction.on_commit(lambda: hints.send(hints.JOBS))


def send(letter_id: UUID) -> None:
    """Write and send a letter, unless there is nothing to say any more. Settings name who writes each kind."""
    letter = Letter.objects.select_related("user").get(pk=letter_id)
    writer: Writer = import_string(settings.LETTER_WRITERS[letter.kind])
    text = writer(letter) if letter.sent_at is None and letter.user.is_active else None
    if text:
        _mail(letter, text)
    Letter.objects.filter(pk=letter.pk).update(sent_at=timezone.now())


def _mail(letter: Letter, words: LetterText) -> None:
    # However often it goes out, it has one id.
    headers = {"Message-ID": f"<letter.{letter.pk.hex}@{settings.MAIL_DOMAIN}>", "Auto-Submitted": "auto-generated"}
    mail = EmailMessage(" ".join(words.subject.split()), words.body, to=[letter.user.email], headers=headers)
    try:
        patient_connection().send_messages([mail])
    except smtplib.SMTPException as error:
        code, answer = reply_of(error)
        if not 500 <= code < 600 or isinstance(error, smtplib.SMTPAuthenticationError):
            raise
        logger.warning("the mail server refused letter %s for good: %s %s", letter.pk, code, answer)


def written(subject: str, template: str, **values: object) -> LetterText:
    """Return a letter whose body is a template."""
    return LetterText(subject, render_to_string(template, values).strip() + "\n")
