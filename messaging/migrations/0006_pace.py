"""How fast connections send, and the functions by which claims ask for it."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# A message may go 20 ms before its time, and an interval is 1.05 of what the limit says: see messaging/pacing.py.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION pace_allowance(lane uuid) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT greatest(0, least(
        CASE WHEN per_second IS NOT NULL THEN
            floor(extract(epoch FROM now() + interval '20 ms' - greatest(next_at, now())) * per_second / 1.05)::integer + 1
        END,
        per_hour - coalesce((SELECT count FROM messaging_pacehour h
            WHERE h.lane_id = lane AND hour = date_trunc('hour', now())), 0),
        per_day - coalesce((SELECT sum(count) FROM messaging_pacehour h
            WHERE h.lane_id = lane AND hour > date_trunc('hour', now()) - interval '24 h'), 0)::integer))
    FROM messaging_pace WHERE lane_id = lane
$$;
CREATE OR REPLACE FUNCTION pace_opening(lane uuid) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    WITH recent AS (
        SELECT hour, count, sum(count) OVER () AS total, sum(count) OVER (ORDER BY hour) AS gone
        FROM messaging_pacehour h WHERE h.lane_id = lane AND hour > date_trunc('hour', now()) - interval '24 h')
    SELECT greatest(
        CASE WHEN per_second IS NOT NULL THEN next_at - interval '20 ms' END,
        (SELECT hour + interval '1 h' FROM recent
            WHERE hour = date_trunc('hour', now()) AND count >= per_hour),
        -- When the oldest hours have gone out of the day so that there is room again.
        (SELECT min(hour) + interval '24 h' FROM recent WHERE total >= per_day AND total - gone < per_day))
    FROM messaging_pace WHERE lane_id = lane
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0005_whatsapp"), ("outbox", "0002_sql")]

    operations = [
        migrations.CreateModel(
            name="Pace",
            fields=[
                (
                    "lane",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="pace",
                        serialize=False,
                        to="outbox.lane",
                    ),
                ),
                ("per_second", models.FloatField(null=True)),
                ("per_hour", models.PositiveIntegerField(null=True)),
                ("per_day", models.PositiveIntegerField(null=True)),
                ("next_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("per_second__gt", 0), ("per_hour__gt", 0), ("per_day__gt", 0), _connector="OR"
                        ),
                        name="pace_limits_something",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PaceHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "lane", "hour", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("count", models.PositiveIntegerField()),
                (
                    "lane",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="outbox.lane"),
                ),
            ],
        ),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
    ]
