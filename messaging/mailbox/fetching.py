"""Read what is new in a mailbox. A mail is kept in the same transaction as how far the mailbox has been read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from email.parser import BytesHeaderParser

from django.db import transaction
from django.utils import timezone
from imapclient.exceptions import IMAPClientError

from core.mime.text import clean
from messaging.accounts import account_row
from messaging.addresses import normalize_email
from messaging.email.files import MAIL_MAX_BYTES
from messaging.email.incoming import has_too_many_waiting, keep
from messaging.mailbox.inbox import Inbox
from messaging.models import ChannelConnection, MailFolder

AT_ONCE, AT_ONCE_BYTES = 50, 8 * 1024 * 1024  # mails in one transaction, and their bytes
# After a change of the numbers mails are read again from so long before the last look; those that are known are known
# by their Message-ID and words, and become nothing twice.
READ_AGAIN = timedelta(days=2)
HEADER_MAX = 64 * 1024


class MovedOn(Exception):
    """Another process read the same mailbox meanwhile."""


class TooManyWaiting(Exception):
    """Reading goes on when those that wait have been understood."""


def read_new(inbox: Inbox, connection: ChannelConnection) -> int:
    """Keep all mails that have come since the last time. Return how many. Raise one of `inbox.Failure`."""
    selected = inbox.select_folder("INBOX", readonly=True)
    validity = int(selected[b"UIDVALIDITY"])
    folder, _ = MailFolder.objects.get_or_create(connection=connection)
    if folder.mailbox != str(inbox.place):  # a new one, or the connection was moved to another
        folder.mailbox, folder.uid_validity, folder.read_at = str(inbox.place), None, None
    if folder.uid_validity != validity:
        folder.last_uid = _begin_at(inbox, connection, folder, next_uid=selected.get(b"UIDNEXT"))
        folder.uid_validity = validity
        folder.save(update_fields=["mailbox", "uid_validity", "last_uid", "read_at"])
    count = 0
    for uids in _portions(inbox, folder.last_uid):
        _wait_for_readers(connection)
        count += _keep_some(inbox, connection, folder, uids)
    MailFolder.objects.filter(pk=folder.pk).update(read_at=timezone.now(), failing_since=None, last_error="")
    return count


def _begin_at(inbox: Inbox, connection: ChannelConnection, folder: MailFolder, *, next_uid: int | None) -> int:
    """Return the number after which mails are read: of a new mailbox, or of one whose server numbered anew."""
    since = _read_from(connection, folder)
    if since is None:
        return (next_uid or max(inbox.search("ALL"), default=0) + 1) - 1
    return min(inbox.search(["SINCE", since]), default=next_uid or 1) - 1


def _read_from(connection: ChannelConnection, folder: MailFolder) -> date | None:
    if folder.read_at is not None:
        return (folder.read_at - READ_AGAIN).date()
    days = account_row(connection).first_days
    return (timezone.now() - timedelta(days=int(days))).date() if days else None


def _portions(inbox: Inbox, last_uid: int) -> Iterator[list[int]]:
    """Yield the numbers of the new mails, in their order, in portions that fit a transaction."""
    # `n:*` names the last mail even where its number is below n.
    new = sorted(uid for uid in inbox.search(["UID", f"{last_uid + 1}:*"]) if uid > last_uid)
    for start in range(0, len(new), AT_ONCE):
        some = new[start : start + AT_ONCE]
        sizes = {uid: int(row.get(b"RFC822.SIZE", 0)) for uid, row in inbox.fetch(some, ["RFC822.SIZE"]).items()}
        portion: list[int] = []
        total = 0
        for uid in some:
            size = min(sizes.get(uid, 0), MAIL_MAX_BYTES)
            if portion and total + size > AT_ONCE_BYTES:
                yield portion
                portion, total = [], 0
            portion.append(uid)
            total += size
        yield portion


def _keep_some(inbox: Inbox, connection: ChannelConnection, folder: MailFolder, uids: Sequence[int]) -> int:
    """Fetch some mails without marking them as read, and keep them. One that was removed meanwhile is not there."""
    fetched = inbox.fetch(uids, [f"BODY.PEEK[]<0.{MAIL_MAX_BYTES}>"])
    mails = [raw for uid in uids if (raw := _raw_of(fetched.get(uid, {}))) is not None]
    if len(mails) < len(uids):
        left = set(inbox.search(["UID", ",".join(map(str, uids))]))
        if missing := [uid for uid in uids if uid in left and _raw_of(fetched.get(uid, {})) is None]:
            raise IMAPClientError(f"The server does not hand out mail {missing[0]}.")
    with transaction.atomic():
        row = MailFolder.objects.select_for_update().get(pk=folder.pk)
        if (row.uid_validity, row.last_uid) != (folder.uid_validity, folder.last_uid):
            raise MovedOn
        for raw in mails:
            keep(connection=connection, envelope_from=return_path(raw), envelope_to=connection.own_address, raw=raw)
        row.last_uid = uids[-1]
        row.save(update_fields=["last_uid"])
        if mails:
            ChannelConnection.objects.filter(pk=connection.pk).update(last_inbound_at=timezone.now())
    folder.last_uid = row.last_uid
    return len(mails)


def _raw_of(row: dict[bytes, object]) -> bytes | None:
    """The mail in the server's answer, which may or may not repeat from where it begins."""
    raw = next((value for key, value in row.items() if key.startswith(b"BODY[]")), None)
    return raw if isinstance(raw, bytes) else None


def return_path(raw: bytes) -> str:
    """Return the sender of the envelope, which the server that delivered the mail wrote down (RFC 5321, 4.4).

    It is the first such header. A server that writes none leaves us one that the sender may have written.
    """
    header = BytesHeaderParser().parsebytes(raw[:HEADER_MAX]).get("Return-Path", "")
    return normalize_email(clean(str(header)).strip().strip("<>"))


def _wait_for_readers(connection: ChannelConnection) -> None:
    if has_too_many_waiting(connection):
        raise TooManyWaiting
