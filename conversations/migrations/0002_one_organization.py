"""Two levels of sources, and one organization for a source and all that hangs on it, enforced by the database.

A key over (id, organization) makes it impossible to hang a row of one organization on a row of another, whatever the
code does. `parent_kind` is 'business' wherever there is a parent, so that a location cannot be a parent.
"""

from django.db import migrations

FORWARDS = """
ALTER TABLE integrations_source
    ADD COLUMN parent_kind varchar(10) GENERATED ALWAYS AS
        (CASE WHEN parent_id IS NULL THEN NULL ELSE 'business' END) STORED,
    ADD CONSTRAINT source_key UNIQUE (id, organization_id),
    ADD CONSTRAINT source_kind_key UNIQUE (id, kind, organization_id),
    ADD CONSTRAINT source_parent_is_business_of_same_organization
        FOREIGN KEY (parent_id, parent_kind, organization_id)
        REFERENCES integrations_source (id, kind, organization_id);
ALTER TABLE integrations_channelconnection
    ADD CONSTRAINT connection_source_same_organization
        FOREIGN KEY (source_id, organization_id) REFERENCES integrations_source (id, organization_id);
ALTER TABLE leads_lead
    ADD CONSTRAINT lead_key UNIQUE (id, organization_id),
    ADD CONSTRAINT lead_source_same_organization
        FOREIGN KEY (source_id, organization_id) REFERENCES integrations_source (id, organization_id);
ALTER TABLE conversations_conversation
    ADD CONSTRAINT conversation_key UNIQUE (id, organization_id),
    ADD CONSTRAINT conversation_lead_same_organization
        FOREIGN KEY (lead_id, organization_id) REFERENCES leads_lead (id, organization_id);
ALTER TABLE conversations_message
    ADD CONSTRAINT message_conversation_same_organization
        FOREIGN KEY (conversation_id, organization_id) REFERENCES conversations_conversation (id, organization_id);
"""
BACKWARDS = """
ALTER TABLE conversations_message DROP CONSTRAINT message_conversation_same_organization;
ALTER TABLE conversations_conversation
    DROP CONSTRAINT conversation_lead_same_organization, DROP CONSTRAINT conversation_key;
ALTER TABLE leads_lead DROP CONSTRAINT lead_source_same_organization, DROP CONSTRAINT lead_key;
ALTER TABLE integrations_channelconnection DROP CONSTRAINT connection_source_same_organization;
ALTER TABLE integrations_source
    DROP CONSTRAINT source_parent_is_business_of_same_organization,
    DROP CONSTRAINT source_kind_key, DROP CONSTRAINT source_key, DROP COLUMN parent_kind;
"""


class Migration(migrations.Migration):
    dependencies = [("conversations", "0001_initial"), ("integrations", "0002_outbox_storage")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
