"""The index of 0011, built while messages go on arriving."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("conversations", "0011_unanswered")]

    operations = [
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("closed_at", None), ("waiting_since__isnull", False)),
                fields=["source", "waiting_since"],
                name="conversation_waiting_of_source",
            ),
        ),
    ]
