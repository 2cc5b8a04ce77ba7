"""What Django's models cannot say: a crash may forget how often somebody called; logging it would cost a WAL record each."""

from django.db import migrations

SQL = """
ALTER TABLE api_ratelimitwindow SET UNLOGGED;
"""


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
