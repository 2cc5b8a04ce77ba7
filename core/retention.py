"""Forget what is older than the operator keeps: whole months at a time, in steps that block nobody."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta

from django.apps import apps
from django.conf import settings
from django.db import OperationalError, connection

from core.ids import first_id
from core.partitions import month_start, partitioned_tables

logger = logging.getLogger(__name__)

LOCK_PATIENCE = "100ms"  # who cannot have its lock at once comes back in an hour, and keeps nobody waiting
AT_ONCE = 1_000  # rows in one statement
_PARTITIONS = """
SELECT c.relname, i.inhdetachpending FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass ORDER BY c.relname
"""
_LOOSE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition AND relname ~ %s"
_BEFORE = "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {key} < %s ORDER BY {key} LIMIT %s)"
# Tables of libraries. A model of ours says in `EXPIRES` which of its rows have served.
_OF_LIBRARIES = {"cache": "expires < now()", "django_session": "expire_date < now()"}


def delete_expired_rows() -> None:
    """Remove what has served, a few rows at a time."""
    ours = {model._meta.db_table: model.EXPIRES for model in apps.get_models() if hasattr(model, "EXPIRES")}
    for table, condition in (ours | _OF_LIBRARIES).items():
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
    for table, setting in partitioned_tables().items():
        cutoff = now - timedelta(days=getattr(settings, setting))
        for name, is_pending in _ended(table, cutoff):
            if _drop(table, name, is_pending=is_pending):
                dropped.append(name)
    _delete_with_their_months(now)
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


def _delete_with_their_months(now: datetime) -> None:
    """Delete, a few at a time, rows that belong to months that are gone: `ROWS_KEPT_BY` names the setting of those."""
    for model in apps.get_models():
        if not hasattr(model, "ROWS_KEPT_BY"):
            continue
        cutoff = now - timedelta(days=getattr(settings, model.ROWS_KEPT_BY))
        first_kept = first_id(month_start(cutoff.year, cutoff.month))
        statement = _BEFORE.format(table=model._meta.db_table, key=model._meta.pk.column)
        with connection.cursor() as cursor:
            while True:
                cursor.execute(statement, [first_kept, AT_ONCE])
                if cursor.rowcount < AT_ONCE:
                    break
