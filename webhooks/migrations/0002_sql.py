"""What Django's models cannot say."""

from django.db import migrations

from core.partitions import ensure_partitions


def create_partitions(*_: object) -> None:
    ensure_partitions()


SQL = """
-- Work rows live for seconds: vacuum them after a thousand dead ones, however large the table was once. After a snapshot
-- was held open for minutes there is much to clean up, and it slows everything until it is done.
ALTER TABLE webhooks_delivery SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);
"""


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_initial"), ("api", "0001_initial")]
    operations = [
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
        migrations.RunPython(create_partitions, migrations.RunPython.noop),
    ]
