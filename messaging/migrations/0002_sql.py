"""What Django's models cannot say."""

from django.db import migrations

SQL = """
ALTER TABLE messaging_channelconnection
    ADD CONSTRAINT connection_source_same_organization
        FOREIGN KEY (source_id, organization_id) REFERENCES accounts_source (id, organization_id);
-- Work rows live for seconds: vacuum them after a thousand dead ones, however large the table was once. After a snapshot
-- was held open for minutes there is much to clean up, and it slows everything until it is done.
ALTER TABLE messaging_dispatch SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial"), ("accounts", "0002_sql")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
