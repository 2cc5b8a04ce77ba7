"""Two levels of sources, and one organization for a source and all that hangs on it, enforced by the database.

A key over (id, organization) makes it impossible to hang a row of one organization on a row of another, whatever the
code does. `parent_kind` is 'business' wherever there is a parent, so that a location cannot be a parent.
"""

from django.db import migrations
from django.core.management import call_command


def create_cache_table(*_: object) -> None:
    """The table of Django's database cache, in which login limits are counted."""
    call_command("createcachetable", "cache", verbosity=0)


SQL = """
ALTER TABLE accounts_source
    ADD COLUMN parent_kind varchar(10) GENERATED ALWAYS AS
        (CASE WHEN parent_id IS NULL THEN NULL ELSE 'business' END) STORED,
    ADD CONSTRAINT source_key UNIQUE (id, organization_id),
    ADD CONSTRAINT source_kind_key UNIQUE (id, kind, organization_id),
    ADD CONSTRAINT source_parent_is_business_of_same_organization
        FOREIGN KEY (parent_id, parent_kind, organization_id)
        REFERENCES accounts_source (id, kind, organization_id);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
        migrations.RunPython(create_cache_table, migrations.RunPython.noop),
    ]
