"""The indexes of 0009, built while messages go on arriving, and what is unread, in portions."""

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F

PORTION = 1_000  # conversations


def keep_unread(apps, schema_editor):
    """What nobody has looked at yet is unread for everybody; the rest is read."""
    conversations = apps.get_model("conversations", "Conversation").objects
    ids = list(conversations.exclude(unread_at=None).values_list("pk", flat=True))
    for start in range(0, len(ids), PORTION):
        conversations.filter(pk__in=ids[start : start + PORTION]).update(last_news_at=F("last_message_at"))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("conversations", "0009_filing")]

    operations = [
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("closed_at", None), ("snoozed_until__isnull", False)),
                fields=["organization", "-last_message_at", "-id"],
                name="conversation_snoozed",
            ),
        ),
        AddIndexConcurrently(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("handled_by", "team")),
                fields=["organization", "-last_message_at", "-id"],
                name="conversation_of_team",
            ),
        ),
        AddIndexConcurrently(
            model_name="conversation",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("tags", []), _negated=True), fields=["tags"], name="conversation_tags"
            ),
        ),
        migrations.RunPython(keep_unread, migrations.RunPython.noop),
    ]
