"""Mailboxes of the business, and how far each has been read."""

import core.secrets
import django.db.models.deletion
from django.db import migrations, models


# A location inherits accounts of a kind of which it has none. Its own built-in connection does not count for one, and is
# then the default no more.
USABLE = """
CREATE OR REPLACE VIEW messaging_usableconnection AS
SELECT own.source_id, own.connection_id, own.kind,
    CASE WHEN mine.callback_token = '' AND EXISTS (
        SELECT FROM accounts_source location
        JOIN messaging_sourceconnection parents
            ON parents.source_id = location.parent_id AND parents.kind = own.kind AND parents.default_at IS NOT NULL
        JOIN messaging_channelconnection theirs ON theirs.id = parents.connection_id AND theirs.callback_token <> ''
        WHERE location.id = own.source_id AND NOT EXISTS (
            SELECT FROM messaging_sourceconnection o JOIN messaging_channelconnection c ON c.id = o.connection_id
            WHERE o.source_id = own.source_id AND o.kind = own.kind AND c.callback_token <> ''))
        THEN NULL ELSE own.default_at END AS default_at,
    own.source_id AS owner_id
FROM messaging_sourceconnection own JOIN messaging_channelconnection mine ON mine.id = own.connection_id
UNION ALL
SELECT location.id, parents.connection_id, parents.kind, parents.default_at, parents.source_id
FROM accounts_source location
JOIN messaging_sourceconnection parents ON parents.source_id = location.parent_id
JOIN messaging_channelconnection theirs ON theirs.id = parents.connection_id AND theirs.callback_token <> ''
WHERE NOT EXISTS (
    SELECT FROM messaging_sourceconnection o JOIN messaging_channelconnection c ON c.id = o.connection_id
    WHERE o.source_id = location.id AND o.kind = parents.kind AND c.callback_token <> '')
"""


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0006_pace"),
    ]

    operations = [
        migrations.CreateModel(
            name="MailboxAccount",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="smtp",
                        serialize=False,
                        to="messaging.channelconnection",
                    ),
                ),
                ("username", models.CharField(blank=True, max_length=320)),
                ("password", core.secrets.SecretField(editable=False, null=True)),
                ("smtp_host", models.CharField(blank=True, max_length=253)),
                ("smtp_port", models.CharField(blank=True, max_length=5)),
                ("imap_host", models.CharField(blank=True, max_length=253)),
                ("imap_port", models.CharField(blank=True, max_length=5)),
                ("first_days", models.CharField(blank=True, max_length=2)),
                ("changed_at", models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name="MailFolder",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="folder",
                        serialize=False,
                        to="messaging.channelconnection",
                    ),
                ),
                ("mailbox", models.CharField(blank=True, max_length=600)),
                ("uid_validity", models.BigIntegerField(null=True)),
                ("last_uid", models.BigIntegerField(default=0)),
                ("read_at", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.RenameField(model_name="channelconnection", old_name="number", new_name="own_address"),
        migrations.AlterField(
            model_name="channelconnection", name="own_address", field=models.CharField(blank=True, max_length=320)
        ),
        migrations.AddIndex(
            model_name="inboundmail",
            index=models.Index(condition=models.Q(("outcome", "waiting")), fields=["connection"], name="mail_waiting"),
        ),
        migrations.RunSQL(USABLE, migrations.RunSQL.noop),
    ]
