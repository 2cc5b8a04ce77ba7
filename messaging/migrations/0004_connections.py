"""Connections belong to organizations, and sources use them. Providers have accounts, and call us."""

import core.ids
import core.secrets
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from core.partitions import CreatePartitionedModel, ensure_partitions

KINDS = [("email", "Email"), ("sms", "SMS"), ("whatsapp", "WhatsApp"), ("website", "Website form")]

# What is there was built in: it is used by the source that it was made for.
FILL = """
UPDATE messaging_channelconnection SET provider = CASE kind WHEN 'email' THEN 'installation' ELSE 'form' END;
INSERT INTO messaging_sourceconnection (source_id, connection_id, organization_id, kind, default_at)
SELECT source_id, id, organization_id, kind, default_at FROM messaging_channelconnection;
"""
ONE_ORGANIZATION = """
ALTER TABLE messaging_channelconnection ADD CONSTRAINT connection_key UNIQUE (id, organization_id);
ALTER TABLE messaging_sourceconnection
    ADD CONSTRAINT source_connection_source_same_organization
        FOREIGN KEY (source_id, organization_id) REFERENCES accounts_source (id, organization_id),
    ADD CONSTRAINT source_connection_connection_same_organization
        FOREIGN KEY (connection_id, organization_id) REFERENCES messaging_channelconnection (id, organization_id);
"""
USABLE = """
CREATE VIEW messaging_usableconnection AS
SELECT own.source_id, own.connection_id, own.kind, own.default_at, own.source_id AS owner_id
FROM messaging_sourceconnection own
UNION ALL
SELECT location.id, parents.connection_id, parents.kind, parents.default_at, parents.source_id
FROM accounts_source location JOIN messaging_sourceconnection parents ON parents.source_id = location.parent_id
WHERE NOT EXISTS (
    SELECT FROM messaging_sourceconnection own WHERE own.source_id = location.id AND own.kind = parents.kind)
"""


def create_partitions(*_: object) -> None:
    ensure_partitions()


class Migration(migrations.Migration):
    dependencies = [("messaging", "0003_has_html"), ("accounts", "0002_sql")]

    operations = [
        migrations.RemoveConstraint(model_name="channelconnection", name="connection_one_default"),
        migrations.AddField(
            model_name="channelconnection",
            name="provider",
            field=models.CharField(default="", max_length=20),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="channelconnection",
            name="number",
            field=models.CharField(blank=True, default="", max_length=20),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="channelconnection",
            name="callback_token",
            field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="channelconnection", name="last_check", field=models.JSONField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="channelconnection", name="last_inbound_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="channelconnection", name="removed_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(model_name="dispatch", name="dialled_at", field=models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="SourceConnection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organization_id", models.UUIDField()),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("default_at", models.DateTimeField(blank=True, null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="source_connections",
                        to="messaging.channelconnection",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="source_connections",
                        to="accounts.source",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RemoveField(model_name="channelconnection", name="default_at"),
        migrations.AddConstraint(
            model_name="sourceconnection",
            constraint=models.UniqueConstraint(fields=("source", "connection"), name="source_connection_once"),
        ),
        migrations.AddConstraint(
            model_name="sourceconnection",
            constraint=models.UniqueConstraint(
                condition=models.Q(("default_at__isnull", False)), fields=("source", "kind"), name="source_one_default"
            ),
        ),
        migrations.AddConstraint(
            model_name="channelconnection",
            constraint=models.UniqueConstraint(
                condition=models.Q(("callback_token", ""), _negated=True),
                fields=("callback_token",),
                name="connection_callback_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="channelconnection",
            index=models.Index(fields=["organization", "kind"], name="connection_of_kind"),
        ),
        migrations.RunSQL(ONE_ORGANIZATION, migrations.RunSQL.noop),
        migrations.RunSQL(USABLE, "DROP VIEW messaging_usableconnection"),
        migrations.CreateModel(
            name="UsableConnection",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "source", "connection", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("default_at", models.DateTimeField(null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="usable_at",
                        to="messaging.channelconnection",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="accounts.source"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="usable_connections",
                        to="accounts.source",
                    ),
                ),
            ],
            options={"managed": False, "ordering": ["connection_id"]},
        ),
        migrations.CreateModel(
            name="TwilioAccount",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="twilio",
                        serialize=False,
                        to="messaging.channelconnection",
                    ),
                ),
                ("account_sid", models.CharField(blank=True, max_length=200)),
                ("auth_token", core.secrets.SecretField(editable=False, null=True)),
                ("messaging_service_sid", models.CharField(blank=True, max_length=200)),
            ],
        ),
        CreatePartitionedModel(
            name="InboundCall",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("organization_id", models.UUIDField()),
                ("connection_id", models.BigIntegerField()),
                ("url", models.CharField(max_length=2000)),
                ("body", models.BinaryField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("waiting", "Not yet read"),
                            ("applied", "Done"),
                            ("ignored", "About nothing that is here"),
                            ("unreadable", "Not understood"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=300)),
                (
                    "lead_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
                ),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["connection_id", "-id"], name="inbound_call_newest"),
                    models.Index(
                        condition=models.Q(("outcome__in", ["ignored", "unreadable"])),
                        fields=["organization_id", "-id"],
                        name="inbound_call_no_effect",
                    ),
                    django.contrib.postgres.indexes.GinIndex(fields=["lead_ids"], name="inbound_call_of_lead"),
                ]
            },
        ),
        migrations.RunPython(create_partitions, migrations.RunPython.noop),
    ]
