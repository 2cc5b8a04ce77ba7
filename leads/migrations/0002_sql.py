"""What Django's models cannot say."""

from django.db import migrations

SQL = """
ALTER TABLE leads_lead
    ADD CONSTRAINT lead_key UNIQUE (id, organization_id),
    ADD CONSTRAINT lead_source_same_organization
        FOREIGN KEY (source_id, organization_id) REFERENCES accounts_source (id, organization_id);
-- The planner takes no statistics of an expression from a partial index: without these it believes that every 200th lead
-- has the address, and reads all leads, newest first, until it has met a hundred of them.
CREATE STATISTICS lead_email_folded ON lower(email) FROM leads_lead;
"""


class Migration(migrations.Migration):
    dependencies = [("leads", "0001_initial"), ("accounts", "0002_sql")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
