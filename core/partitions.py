"""Monthly partitions of the tables that grow without end.

A UUIDv7 begins with its milliseconds, so a month is a plain range of the primary key. There is no DEFAULT partition:
a row in one would later keep its month's partition from being made.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.db import connection, migrations, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.state import ProjectState

from core.ids import first_id

MONTHS_AHEAD = 3
_LOCK = 0x1EAD0001  # advisory: one process makes partitions at a time


class CreateModelInSql(migrations.CreateModel):
    """CreateModel for a table that a migration makes in SQL: the model is known, and nothing is done."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        pass


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel for a table that is partitioned by ranges of its primary key."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        sql, params = schema_editor.table_sql(model)
        schema_editor.execute(f"{sql} PARTITION BY RANGE (id)", params or None)
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))


def partitioned_tables() -> dict[str, str]:
    """Return the partitioned tables, each with the setting that says for how many days it is kept.

    A model of such a table names the setting as `MONTHS_KEPT_BY`.
    """
    models = [model for model in apps.get_models() if hasattr(model, "MONTHS_KEPT_BY")]
    return {model._meta.db_table: model.MONTHS_KEPT_BY for model in models}


def month_start(year: int, month: int) -> datetime:
    """The first moment of a month; months beyond 12 run on into later years."""
    years, index = divmod(month - 1, 12)
    return datetime(year + years, index + 1, 1, tzinfo=UTC)


def ensure_partitions(now: datetime | None = None) -> list[str]:
    """Make the partitions of this month, the one before and the next three. Return the names of the new ones."""
    now = now or datetime.now(UTC)
    created = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        present = _present(cursor)
        for table in _tables_there(cursor):
            for offset in range(-1, MONTHS_AHEAD + 1):
                start, end = month_start(now.year, now.month + offset), month_start(now.year, now.month + offset + 1)
                name = f"{table}_{start:%Y_%m}"
                if name not in present:
                    # Attached afterwards, so that readers of the table are not locked out while it is made.
                    cursor.execute(f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS)')
                    bounds = f"FROM ('{first_id(start)}') TO ('{first_id(end)}')"  # PostgreSQL takes no parameters here
                    cursor.execute(f'ALTER TABLE "{table}" ATTACH PARTITION "{name}" FOR VALUES {bounds}')
                    created.append(name)
    return created


def _tables_there(cursor: CursorWrapper) -> list[str]:
    """The partitioned tables of the database: while it is migrated, some are still to come."""
    cursor.execute(
        "SELECT name FROM unnest(%s::text[]) name WHERE to_regclass(name) IS NOT NULL", [list(partitioned_tables())]
    )
    return [name for (name,) in cursor.fetchall()]


def _present(cursor: CursorWrapper) -> set[str]:
    cursor.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent::regclass::text = ANY(%s)",
        [list(partitioned_tables())],
    )
    return {name for (name,) in cursor.fetchall()}


def months_ready(now: datetime | None = None) -> int:
    """How many months after this one have their partitions; `/readyz` fails below one."""
    now = now or datetime.now(UTC)
    suffixes = [f"_{month_start(now.year, now.month + offset):%Y_%m}" for offset in range(1, MONTHS_AHEAD + 1)]
    with connection.cursor() as cursor:
        present = _present(cursor)
    return sum(all(f"{table}{month}" in present for table in partitioned_tables()) for month in suffixes)
