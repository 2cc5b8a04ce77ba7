"""One organization for a lead, its conversations and their messages, enforced by the database."""

from django.db import migrations

SQL = """
ALTER TABLE conversations_conversation
    ADD CONSTRAINT conversation_key UNIQUE (id, organization_id),
    ADD CONSTRAINT conversation_lead_same_organization
        FOREIGN KEY (lead_id, organization_id) REFERENCES leads_lead (id, organization_id);
ALTER TABLE conversations_message
    ADD CONSTRAINT message_conversation_same_organization
        FOREIGN KEY (conversation_id, organization_id) REFERENCES conversations_conversation (id, organization_id);
"""


class Migration(migrations.Migration):
    dependencies = [("conversations", "0001_initial"), ("leads", "0002_sql")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
