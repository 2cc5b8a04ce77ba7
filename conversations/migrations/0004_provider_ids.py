"""Outbound messages have their provider's id, by which reports name them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0003_replies"), ("messaging", "0004_connections")]

    operations = [
        migrations.RemoveIndex(model_name="message", name="message_by_its_own_id"),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=["connection", "external_id"],
                name="message_by_its_own_id",
            ),
        ),
    ]
