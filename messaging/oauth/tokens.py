"""The tokens of mailboxes: renewed before they end, by one process at a time, and what happens when a grant is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from accounts import letters
from accounts.actors import SYSTEM
from accounts.models import Letter, Membership, User
from accounts.reach import reach_of
from accounts.rights import Right
from core.secrets import Secret, Unreadable
from messaging.failures import NotSent
from messaging.models import ChannelConnection
from messaging.oauth.servers import GrantEnded, Tokens, server_of

RENEWED_BEFORE = timedelta(minutes=5)
CLAIM_LASTS = timedelta(seconds=30)  # longer than a token endpoint is waited for


def access_token_of(row: Any) -> str:
    """Return a token that is good for a while. Raise NotSent.

    A refresh token may be good for one use, so one process renews: it writes that down first, and no transaction waits
    for the network. Others go on with the token that has a few minutes left.
    """
    if row.expires_at and row.expires_at > timezone.now() + RENEWED_BEFORE:
        return _revealed(row.access_token)
    rows = type(row).objects.filter(pk=row.pk)
    is_free = Q(renewing_at=None) | Q(renewing_at__lt=Now() - CLAIM_LASTS)
    is_as_read = Q(expires_at=row.expires_at)  # nobody has renewed it since
    claimed_at = timezone.now()
    if rows.filter(is_free & is_as_read).update(renewing_at=claimed_at):
        return _renew(row, claimed_at)
    row.refresh_from_db()
    if row.expires_at and row.expires_at > timezone.now():
        return _revealed(row.access_token)
    raise NotSent("channel.failed", "The permission for the mailbox is just being renewed.", is_permanent=False)


def _renew(row: Any, claimed_at: datetime) -> str:
    """Ask for new tokens. What comes back counts only if nobody signed in, or disconnected, meanwhile."""
    server, mine = server_of(row.connection.provider), type(row).objects.filter(pk=row.pk, renewing_at=claimed_at)
    try:
        tokens = server.refresh(_revealed(row.refresh_token))
    except GrantEnded as error:
        if not end_grant(row, claimed_at):
            raise NotSent("channel.failed", "Somebody signed in just now.", is_permanent=False) from error
        detail = f"{server.label} ended the permission for this mailbox. Connect it again."
        raise NotSent("channel.notConnected", detail, is_permanent=True) from error
    except NotSent:
        mine.update(renewing_at=None)
        raise
    keep(row, tokens)
    mine.update(
        access_token=row.access_token, refresh_token=row.refresh_token, expires_at=row.expires_at, renewing_at=None
    )
    return tokens.access_token


def keep(row: Any, tokens: Tokens) -> None:
    """Set the columns of new tokens."""
    row.access_token = Secret.of(tokens.access_token)
    if tokens.refresh_token:
        row.refresh_token = Secret.of(tokens.refresh_token)
    row.expires_at = timezone.now() + timedelta(seconds=tokens.lasts)


def _revealed(secret: Secret | None) -> str:
    if secret is None:
        detail = "There is no permission for this mailbox. Connect it again."
        raise NotSent("channel.notConnected", detail, is_permanent=True)
    try:
        return secret.reveal()
    except Unreadable as error:
        detail = "The permission for this mailbox cannot be read any more. Connect it again."
        raise NotSent("channel.failed", detail, is_permanent=False) from error


@transaction.atomic
def end_grant(row: Any, claimed_at: datetime) -> bool:
    """Disconnect a mailbox whose permission is over, and tell those who can give it again.

    False when it is another permission by now.
    """
    label = server_of(row.connection.provider).label
    said = {"ok": False, "title": f"{label} ended the permission.", "detail": "Connect the mailbox again."}
    connection = ChannelConnection.objects.select_for_update(no_key=True).select_related("source").get(pk=row.pk)
    forgotten = {"access_token": None, "refresh_token": None, "expires_at": None, "renewing_at": None}
    if not type(row).objects.filter(pk=row.pk, renewing_at=claimed_at).update(**forgotten):
        return False
    if connection.disconnected_at:
        return True
    connection.disconnected_at, connection.last_check = timezone.now(), said
    connection.save(update_fields=["disconnected_at", "last_check"])
    SYSTEM.record(
        "channel.disconnect",
        organization=connection.organization_id,
        target=f"Email {connection.name}",
        source_id=connection.source_id,
        before={"connected": True},
        after={"connected": False, "because": said["title"]},
    )
    letters.post(
        "mailbox",
        about=connection.lane_id,
        to=_configurers(connection),
        organization_id=connection.organization_id,
        occasion=str(connection.disconnected_at),
    )
    return True


def _configurers(connection: ChannelConnection) -> list[User]:
    rows = Membership.objects.active().filter(organization=connection.organization_id, user__is_active=True)
    people = [membership.user for membership in rows.select_related("user")]
    return [person for person in people if reach_of(person, Right.CONFIGURE).includes(connection.source)]


def write_of_mailbox(letter: Letter) -> letters.LetterText | None:
    """Say that a mailbox is disconnected. None when it is connected again."""
    connection = ChannelConnection.objects.active().filter(lane=letter.about_id).first()
    if connection is None or connection.is_connected:
        return None
    url = f"{settings.BASE_URL}{reverse('messaging:connection', args=[connection.pk])}"
    subject = f"The mailbox {connection.own_address} is disconnected"
    label = server_of(connection.provider).label
    return letters.written(subject, "mail/mailbox_ended.txt", connection=connection, provider=label, url=url)
