"""What Django's models cannot say about the outbox and the log."""

from django.db import migrations

from core.partitions import ensure_partitions

# Work rows live for seconds: vacuum them after a thousand dead ones, however large the table was once.
VACUUM_EARLY = """
ALTER TABLE integrations_delivery SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE integrations_dispatch SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE integrations_lane SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
"""
# A crash may forget how often somebody called in the last minute; logging it would cost a WAL record for each call.
RATE_IS_UNLOGGED = "ALTER TABLE integrations_ratewindow SET UNLOGGED"


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]
    operations = [
        migrations.RunSQL(VACUUM_EARLY, migrations.RunSQL.noop),
        migrations.RunSQL(RATE_IS_UNLOGGED, migrations.RunSQL.noop),
        migrations.RunPython(lambda apps, editor: ensure_partitions(), migrations.RunPython.noop),
    ]
