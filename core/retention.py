"""Forget what is older than the operator keeps: whole months at a time, in steps that block nobody."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import OperationalError, connection

from core.ids import first_id
from core.partitions import month_start

logger = logging.getLogger(__name__)

KEPT_DAYS = {
    "webhooks_event": "EVENTS_KEPT_DAYS",
    "webhooks_attempt": "EVENTS_KEPT_DAYS",
    "api_apicall": "API_CALLS_KEPT_DAYS",
}
LOCK_PATIENCE = "100ms"  # who cannot have its lock at once comes back in an hour, and keeps nobody waiting
AT_ONCE = 1_000  # rows in one statement
_PARTITIONS = """
SELECT c.relname, i.inhdetachpending FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass ORDER BY c.relname
"""
_LOOSE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition AND relname ~ %s"
_FEED = """
DELETE FROM webhooks_feedentry WHERE event_id IN (
    SELECT event_id FROM webhooks_feedentry WHERE event_id < %s ORDER BY event_id LIMIT %s)
"""
# What has served: answers to repeated calls, nonces, windows, finished jobs, keys whose overlap ended.
_EXPIRED = {
    "api_idempotencykey": "created_at < now() - interval '25 hours'",
    "conversations_usednonce": "expires_at < now()",
    "api_ratelimitwindow": "hour_at < now() - interval '2 hours'",
    "cache": "expires < now()",
    "django_session": "expire_date < now()",
    "outbox_job": "finished_at < now() - interval '7 days'",
    "accounts_letter": "created_at < now() - interval '7 days'",
    "lead_reply_api_replykey": "ends_at < now()",
    "webhooks_webhooksecret": "ends_at < now()",
    "webhooks_subscriptionsecret": "ends_at < now()",
}


def delete_expired_rows() -> None:
    """Remove what has served, a few rows at a time."""
    for table, condition in _EXPIRED.items():
        some = f"SELECT ctid FROM {table} WHERE {condition} LIMIT %s FOR UPDATE SKIP LOCKED"  # noqa: S608  both are ours
        with connection.cursor() as cursor:
            while True:
                cursor.execute(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({some}))", [AT_ONCE])  # noqa: S608
                if cursor.rowcount < AT_ONCE:
                    break


def drop_expired_partitions(now: datetime | None = None) -> list[str]:
    """Drop the months that ended before what is kept; return their names. What is busy is left for the next time."""
    now = now or datetime.now(UTC)
    dropped = []
    for table, setting in KEPT_DAYS.items():
        cutoff = now - timedelta(days=getattr(settings, setting))
        for name, is_pending in _ended(table, cutoff):
            if _drop(table, name, is_pending=is_pending):
                dropped.append(name)
    _forget_feed(now - timedelta(days=settings.EVENTS_KEPT_DAYS))
    return dropped


def _ended(table: str, cutoff: datetime) -> list[tuple[str, bool | None]]:
    """Partitions whose month ended before `cutoff`, and those that a killed process left detached (None)."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS, [table])
        attached = [(str(name), bool(pending)) for name, pending in cursor.fetchall()]
        cursor.execute(_LOOSE, [rf"^{table}_\d{{4}}_\d{{2}}$"])
        loose = [(str(name), None) for (name,) in cursor.fetchall()]
    return [(name, pending) for name, pending in (*attached, *loose) if _end_of(name) <= cutoff]


def _end_of(name: str) -> datetime:
    year, month = (int(part) for part in re.findall(r"\d+", name)[-2:])
    return month_start(year, month + 1)


def _drop(table: str, name: str, *, is_pending: bool | None) -> bool:
    """Detach one month beside its readers and writers, then drop it: nobody can see it any more."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{LOCK_PATIENCE}'")
            if is_pending is not None:
                how = "FINALIZE" if is_pending else "CONCURRENTLY"
                cursor.execute(f'ALTER TABLE "{table}" DETACH PARTITION "{name}" {how}')
            cursor.execute(f'DROP TABLE "{name}"')
    except OperationalError as error:
        logger.info("%s is busy and is dropped later: %s", name, error)
        return False
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    return True


def _forget_feed(cutoff: datetime) -> None:
    """Entries of months that are gone, a few at a time."""
    month = month_start(cutoff.year, cutoff.month)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_FEED, [first_id(month), AT_ONCE])
            if cursor.rowcount < AT_ONCE:
                return
