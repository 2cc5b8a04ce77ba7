"""Files that go out: callers announce and upload them, people choose them in the browser, a message takes them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.models import Organization, Source
from conversations.models import Attachment, Message
from conversations.models.attachments import UPLOADS, make_key
from conversations.services.attachment_links import FETCHED_LASTS, download_url
from conversations.services.attachments import prepare, prepare_soon
from core.ids import encode, first_id
from core.problems import Refusal
from leads.models import Lead
from messaging.base import Channel, OutgoingFile
from messaging.failures import NotSent
from messaging.files import store
from messaging.files.kinds import UNKNOWN, content_type_of, safe_name

KEPT_UNUSED = timedelta(hours=24)
UNUSED_MAX = 500 * 1024 * 1024  # bytes of one organization that no message has taken yet
SWEPT_AT_ONCE = 200


@transaction.atomic
def announce(*, source: Source, name: str, size: int) -> Attachment:
    """Make room for a file of so many bytes. Raise Refusal `attachment.tooMany`."""
    Organization.objects.select_for_update(no_key=True).get(pk=source.organization_id)  # two at once count each other
    unused = Attachment.objects.uploads().filter(organization=source.organization_id)
    used = unused.aggregate(total=Sum("size"))["total"] or 0
    if used + size > UNUSED_MAX:
        detail = (
            f"At most {UNUSED_MAX // 1024**2} MB may wait for a message. Send some, or wait until they are removed."
        )
        raise Refusal(409, "attachment.tooMany", detail)
    return Attachment.objects.create(
        organization_id=source.organization_id,
        source=source,
        name=safe_name(name),
        content_type=UNKNOWN,
        size=size,
        key=make_key(source, UPLOADS if store.is_bucket() else ""),
        state=Attachment.State.ANNOUNCED,
    )


@transaction.atomic
def receive(attachment_id: UUID, content: bytes) -> bool:
    """Keep the bytes of an announced file. False when a message has it already: what was checked stays as it is."""
    attachment = Attachment.objects.uploads().select_for_update().filter(pk=attachment_id).first()
    if attachment is None:
        return False
    store.put(attachment.key, content)
    attachment.content_type, attachment.size = content_type_of(content, attachment.name), len(content)
    attachment.state = Attachment.State.WAITING
    attachment.save(update_fields=["content_type", "size", "state"])
    return True


def keep(*, source: Source, name: str, content: bytes) -> Attachment:
    """Keep a file that somebody chose in the browser, for a message to come."""
    attachment = announce(source=source, name=name, size=len(content))
    store.put(attachment.key, content)  # nobody else knows the key, so no row is locked while the store works
    attachment.content_type, attachment.state = content_type_of(content, attachment.name), Attachment.State.WAITING
    attachment.save(update_fields=["content_type", "state"])
    return attachment


def sizes_of(keys: Sequence[str], lead_id: UUID) -> dict[str, int]:
    """Return the bytes of files as the store has them. Raise Refusal `attachment.notFound`.

    Call it before rows are locked: a bucket answers over the network. It is asked for nothing but uploads and what is
    below the prefix of the lead's own source.
    """
    known = set(Attachment.objects.uploads().filter(key__in=keys).values_list("key", flat=True))
    source = Source.objects.filter(pk__in=Lead.objects.filter(pk=lead_id).values("source_id")).first()
    sizes = {}
    for key in keys:
        may_be_asked_for = key in known or (source is not None and _is_own_object(source, key))
        size = store.size_of(key) if may_be_asked_for else None
        if not size:
            raise _not_found()
        sizes[key] = size
    return sizes


def check(channel: Channel, sizes: dict[str, int]) -> None:
    """Raise Refusal when a channel does not take these files."""
    if len(sizes) > channel.files_max:
        takes = f"at most {channel.files_max}" if channel.files_max else "no files"
        raise Refusal(422, "attachment.tooManyForChannel", f"{channel.label} takes {takes} with a message.")
    if sum(sizes.values()) > channel.file_bytes_max:
        detail = f"{channel.label} takes files of at most {channel.file_bytes_max // 1024**2} MB with a message."
        raise Refusal(422, "attachment.tooLarge", detail)


def attach(message: Message, sizes: dict[str, int]) -> None:
    """Give a message the files, in the transaction that writes it. Raise Refusal `attachment.notFound`.

    They are of its own source, or of the business above it, whose key a location may use.
    """
    if not sizes:
        return
    source = Source.objects.get(pk=message.source_id)
    family = [source.pk, source.parent_id] if source.parent_id else [source.pk]
    rows = Attachment.objects.uploads().select_for_update().filter(source__in=family, key__in=sizes)
    by_key = {attachment.key: attachment for attachment in rows}
    for key, size in sizes.items():
        attachment = by_key.get(key) or _copy_of(source, key)
        if attachment.key == key and store.is_bucket():  # its link could still change it, after it was checked
            attachment.copy_of, attachment.key = key, make_key(source)
        attachment.message, attachment.size, attachment.state = message, size, Attachment.State.WAITING
        attachment.source = source  # who sees the message sees its files
        attachment.save()
    prepare_soon(message)


def _copy_of(source: Source, key: str) -> Attachment:
    """An object that the business put into the bucket itself, under its source's own prefix: it stays there."""
    if not _is_own_object(source, key) or Attachment.objects.filter(key=key).exists():
        raise _not_found()
    name = safe_name(key.rpartition("/")[2])
    copy = Attachment(organization_id=source.organization_id, source=source, name=name, content_type=UNKNOWN)
    copy.key, copy.copy_of = make_key(source), key
    return copy


def _is_own_object(source: Source, key: str) -> bool:
    """True for a key in the bucket below the source's own prefix, and outside the folder of uploads.

    The storage makes `a/../b` into `b`: a key that it would change is nobody's.
    """
    own = f"{encode('org', source.organization_id)}/{source.public_id}/"
    is_plain = posixpath.normpath(key) == key and "\\" not in key and "\0" not in key
    return store.is_bucket() and is_plain and key.startswith(own) and not key.startswith(own + UPLOADS)


def copy_files(before: Message, again: Message) -> None:
    """Give a message that is sent again the files of the one that failed."""
    if not before.attachment_count:
        return
    files = list(before.attachments.exclude(state=Attachment.State.ERASED).select_related("source"))
    for file in files:
        copied = Attachment(organization_id=again.organization_id, source=file.source, message=again, name=file.name)
        copied.content_type, copied.size = file.content_type, file.size
        copied.copy_of, copied.key = file.key, make_key(file.source)
        if not file.can_be_had:
            copied.state, copied.detail = file.state, file.detail
        copied.save(force_insert=True)
    again.attachment_count = len(files)
    Message.objects.filter(pk=again.pk).update(attachment_count=len(files))
    prepare_soon(again)


def _not_found() -> Refusal:
    detail = "There is no such file for this lead's source, it is not uploaded yet, or a message has it already."
    return Refusal(422, "attachment.notFound", detail)


def outgoing_files(message: Message) -> list[OutgoingFile]:
    """Return the files of a message as its channel sends them. Raise NotSent for one that may not go out."""
    if not message.attachment_count:
        return []
    return [_outgoing(attachment) for attachment in message.attachments.all()]


def _outgoing(attachment: Attachment) -> OutgoingFile:
    if attachment.state == Attachment.State.WAITING:
        with _as_not_sent():
            prepare(attachment)
        attachment.refresh_from_db()
    if not attachment.is_ready:
        words = f"The file “{attachment.name}” was not sent: {attachment.get_state_display().lower()}."
        raise NotSent("attachment.notReady", f"{words} {attachment.detail}".strip(), is_permanent=True)
    url = download_url(attachment, FETCHED_LASTS)

    def read() -> bytes:
        with _as_not_sent():
            return store.get(attachment.key)

    return OutgoingFile(attachment.name, attachment.content_type, attachment.size, url, read)


@contextmanager
def _as_not_sent() -> Iterator[None]:
    """Whatever the store or the scanner raises: the provider has nothing yet, so the message is tried again."""
    try:
        yield
    except Exception as error:
        raise NotSent("channel.failed", f"The file waits: {error}"[:300], is_permanent=False) from error


def sweep_uploads() -> int:
    """Remove files that no message took within KEPT_UNUSED. Return how many."""
    old = Attachment.objects.uploads().filter(pk__lt=first_id(timezone.now() - KEPT_UNUSED)).order_by("pk")
    count = 0
    while some := list(old.values_list("pk", flat=True)[:SWEPT_AT_ONCE]):
        count += sum(map(_sweep, some))
    return count


@transaction.atomic
def _sweep(attachment_id: UUID) -> bool:
    """Remove an upload, unless a message takes it just now."""
    attachment = Attachment.objects.uploads().select_for_update().filter(pk=attachment_id).first()
    if attachment is None:
        return False
    store.remove(attachment.key)  # first: a row without its file is swept again, a file without its row never
    attachment.delete()
    return True
