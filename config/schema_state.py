"""Is the database as this release needs it? Until it is, workers wait and the web is not ready: nothing is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.db import connection
from django.db.migrations.executor import MigrationExecutor

logger = logging.getLogger(__name__)

LOOKS_EVERY_SECONDS = 1.0
_complete: list[bool] = []  # migrations are not taken back while a process runs: one good answer is enough


def missing_migrations() -> list[str]:
    """Return what `manage.py migrate` has still to do, as `app.name`."""
    if _complete:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return []
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        _complete.append(True)
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def wait_for_migrations(look_up: Callable[[], object]) -> None:
    """Return when the database is not behind this release. `look_up` raises when the process is to end."""
    is_announced = False
    while missing := missing_migrations():
        if not is_announced:
            logger.error("the database is behind this release; run manage.py migrate: %s", ", ".join(missing))
            is_announced = True
        connection.close()
        time.sleep(LOOKS_EVERY_SECONDS)
        look_up()
