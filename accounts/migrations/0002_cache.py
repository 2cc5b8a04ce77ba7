"""The table of Django's database cache, in which login limits are counted."""

from django.core.management import call_command
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.RunPython(
            lambda apps, editor: call_command("createcachetable", "cache", verbosity=0), migrations.RunPython.noop
        )
    ]
