"""Keep the files of messages: bring their bytes here, see what they are, have them scanned, draw pictures anew.

A message is written with rows that describe its files, and a job that prepares them. What fails is tried again with the
same key in the store, so nothing is kept twice, and nothing lies in the store without its row.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from conversations.models import Attachment, Message
from conversations.models.attachments import UPLOADS, make_key
from core.ids import uuid7
from messaging.accounts import account_of
from messaging.email.reader_process import pictures, reader
from messaging.failures import NotSent
from messaging.files import store
from messaging.files.kinds import content_type_of
from messaging.files.pictures import SHOWN_AS
from messaging.files.scanner import TooLarge, is_scanning, virus_in
from messaging.models import InboundMail
from messaging.registry import PROVIDERS
from outbox import hints
from outbox.models import Job

logger = logging.getLogger(__name__)

# A scanner or a store may be away for a night: first the gaps of every job, then now and then.
TRIED_FAST, TRIED_EVERY, TRIED_FOR = timedelta(minutes=30), timedelta(minutes=10), timedelta(days=3)
CUT = "The mail was longer than Leadwire reads, so the end of this file is missing."
PREPARE, REMOVE = "prepare-files", "remove-file"


@dataclass(frozen=True)
class FileReceived:
    """A file that came with a message. Its bytes are in the mail (`part`), or at the provider (`media_id`)."""

    name: str
    content_type: str
    size: int = 0  # bytes; 0: nobody knows yet
    part: int | None = None
    media_id: str = ""
    is_whole: bool = True  # False: the mail was longer than we read


class Unavailable(Exception):
    """The bytes of a file cannot be had, now or later."""


def describe(message: Message, files: Sequence[FileReceived]) -> None:
    """Write what files a message has, and the job that prepares them, in the transaction that writes the message."""
    if not files:
        return
    Attachment.objects.bulk_create(
        Attachment(
            id=uuid7(),
            organization_id=message.organization_id,
            source_id=message.source_id,
            message=message,
            name=file.name,
            content_type=file.content_type,
            size=file.size,
            key=make_key(message.source),
            part=file.part,
            media_id=file.media_id,
            state=Attachment.State.WAITING if file.is_whole else Attachment.State.FAILED,
            detail="" if file.is_whole else CUT,
        )
        for file in files
    )
    prepare_soon(message)


def prepare_soon(message: Message) -> None:
    Job.objects.create(
        organization_id=message.organization_id, source_id=message.source_id, category=PREPARE, subject_id=message.pk
    )
    transaction.on_commit(lambda: hints.send(hints.FILES))


def prepare_files(message_id: UUID) -> timedelta | None:
    """Prepare all files of a message that wait for it. What the store or the scanner refuses is tried again.

    A file that was erased while an earlier attempt kept it is removed here.
    """
    rows = Attachment.objects.filter(message=message_id).select_related("message__connection")
    for erased in rows.filter(state=Attachment.State.ERASED):
        remove_file(erased.pk)
    trouble, mail = None, _Mail(message_id)
    waiting = list(rows.to_prepare())
    for attachment in waiting:
        try:
            prepare(attachment, mail)
        except Exception as error:  # the store's, the scanner's, the provider's: the other files go on
            trouble = error
            if attachment.created_at < timezone.now() - TRIED_FOR:
                _finish(attachment, Attachment.State.FAILED, detail=f"It was tried for three days: {error}")
    if trouble is None:
        return None
    if any(attachment.created_at > timezone.now() - TRIED_FAST for attachment in waiting):
        raise trouble
    logger.warning("files of message %s wait: %s", message_id, trouble)
    return TRIED_EVERY


def prepare(attachment: Attachment, mail: _Mail | None = None) -> None:
    """Bring one file's bytes into the store, and say what it is. Done twice, it changes nothing the second time.

    Raise what may be over later: of the store, of the scanner, of the provider, of a mail that took too long to read.
    """
    try:
        content = _bytes_of(attachment, mail.contents if mail and attachment.part is not None else [])
    except Unavailable as error:
        return _finish(attachment, Attachment.State.FAILED, detail=str(error))
    attachment.size, attachment.content_type = len(content), content_type_of(content, attachment.name)
    try:
        virus = virus_in(content) if is_scanning() else ""
    except TooLarge as error:
        store.remove(attachment.key)
        return _finish(attachment, Attachment.State.FAILED, detail=str(error))
    if virus:
        store.remove(attachment.key)
        return _finish(attachment, Attachment.State.INFECTED, detail=virus)
    if preview := pictures.preview(content) if attachment.content_type in SHOWN_AS else None:
        store.put(attachment.preview_key, preview)
        attachment.has_preview = True
    _finish(attachment, Attachment.State.READY)


def _finish(attachment: Attachment, state: Attachment.State, *, detail: str = "") -> None:
    """Write what became of a file, unless it was erased meanwhile: then its bytes go too."""
    rows = Attachment.objects.filter(pk=attachment.pk).exclude(state=Attachment.State.ERASED)
    values = {name: getattr(attachment, name) for name in ("size", "content_type", "has_preview")}
    if not rows.update(state=state, detail=detail[:300], **values):
        store.remove(attachment.key)
        store.remove(attachment.preview_key)


def _bytes_of(attachment: Attachment, mail_contents: Sequence[bytes]) -> bytes:
    """Return the bytes of a file, which are in the store then. Raise Unavailable."""
    if attachment.part is None and not attachment.media_id and not attachment.copy_of:  # somebody uploaded it
        return store.get(attachment.key)
    if attachment.copy_of:
        return _copy(attachment)
    if attachment.part is not None:
        if attachment.part >= len(mail_contents):
            raise Unavailable("It could not be taken out of the mail. Open the whole mail instead.")
        content = mail_contents[attachment.part]
    else:
        content = _fetch(attachment)
    store.put(attachment.key, content)
    return content


def _copy(attachment: Attachment) -> bytes:
    """Copy a file within the store. An upload goes then; an earlier attempt may have come as far.

    What is in neither place may still come: the file of a message that failed before it was prepared.
    """
    try:
        content = store.get(attachment.copy_of)
    except FileNotFoundError:
        return store.get(attachment.key)
    store.put(attachment.key, content)
    if upload := _upload_of(attachment):
        store.remove(upload)
    return content


class _Mail:
    """The mail behind a message, taken apart when it is asked for its files."""

    def __init__(self, message_id: UUID) -> None:
        self.message_id = message_id

    @cached_property
    def contents(self) -> list[bytes]:
        """The bytes of its files; none when it is kept no longer. Raise NotRead."""
        mail = InboundMail.objects.filter(message_id=self.message_id).exclude(header_id="").order_by("id").first()
        return reader.file_contents(bytes(mail.raw)) if mail else []


def _fetch(attachment: Attachment) -> bytes:
    """Get a file from its provider. What may come later is raised as it is, so that the job tries again."""
    connection = attachment.message.connection if attachment.message else None
    if connection is None or not connection.is_connected:
        raise Unavailable("The channel was disconnected before it was fetched.")
    try:
        return PROVIDERS[connection.provider].fetch(account_of(connection), attachment.media_id)
    except NotSent as error:
        if error.is_permanent:
            raise Unavailable(error.detail) from error
        raise


def erase_files(messages: QuerySet[Message, Any]) -> int:
    """Forget the files of messages: their names now, their bytes by jobs that try until the store has removed them."""
    rows = list(Attachment.objects.filter(message__in=messages).exclude(state=Attachment.State.ERASED))
    for attachment in rows:
        remove_soon(attachment)
    erased = {"state": Attachment.State.ERASED, "name": "[erased]", "detail": "", "media_id": "", "has_preview": False}
    return Attachment.objects.filter(pk__in=[attachment.pk for attachment in rows]).update(**erased)


def remove_soon(attachment: Attachment) -> None:
    Job.objects.create(organization_id=attachment.organization_id, category=REMOVE, subject_id=attachment.pk)
    transaction.on_commit(lambda: hints.send(hints.FILES))


def remove_file(attachment_id: UUID) -> timedelta | None:
    """Remove the bytes of an erased file, until the store has removed them."""
    attachment = Attachment.objects.filter(pk=attachment_id, state=Attachment.State.ERASED).first()
    if attachment is None:
        return None
    try:
        for key in filter(None, (attachment.key, attachment.preview_key, _upload_of(attachment))):
            store.remove(key)
    except Exception:
        logger.exception("file %s is erased and still in the store", attachment_id)
        return TRIED_EVERY
    return None


def _upload_of(attachment: Attachment) -> str:
    """Where a caller put it, if it has not been copied from there."""
    return attachment.copy_of if f"/{UPLOADS}" in attachment.copy_of else ""
