import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# No unique index, on purpose: see the model. The columns that lanes had stay for the workers of the release before,
# which look at each lane at least every 30 s by them; they go with the next release.
CLOCKS = """
CREATE TABLE integrations_clock (
    lane_id uuid NOT NULL REFERENCES integrations_lane (id) ON DELETE CASCADE,
    kind varchar(10) NOT NULL,
    next_due_at timestamptz NOT NULL DEFAULT now(),
    swept_to timestamptz,
    idle_rounds smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);
ALTER TABLE integrations_clock REPLICA IDENTITY FULL;
CREATE INDEX clock_due ON integrations_clock (kind, next_due_at);
CREATE INDEX clock_of_lane ON integrations_clock (lane_id, next_due_at);

CREATE FUNCTION make_clock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO integrations_clock (lane_id, kind) VALUES (NEW.id, NEW.kind);
    RETURN NULL;
END $$;
CREATE TRIGGER lane_has_a_clock AFTER INSERT ON integrations_lane FOR EACH ROW EXECUTE FUNCTION make_clock();
INSERT INTO integrations_clock (lane_id, kind) SELECT id, kind FROM integrations_lane;

ALTER TABLE integrations_lane ALTER COLUMN idle_rounds SET DEFAULT 0;
"""
NO_CLOCKS = """
DROP TRIGGER lane_has_a_clock ON integrations_lane;
DROP FUNCTION make_clock();
DROP TABLE integrations_clock;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0016_calls_refused"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CLOCKS, NO_CLOCKS)],
            state_operations=[
                migrations.CreateModel(
                    name="Clock",
                    fields=[
                        (
                            "lane",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="clock",
                                serialize=False,
                                to="integrations.lane",
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(choices=[("webhook", "Webhook"), ("channel", "Channel")], max_length=10),
                        ),
                        (
                            "next_due_at",
                            models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                        ),
                        ("swept_to", models.DateTimeField(blank=True, null=True)),
                        ("idle_rounds", models.PositiveSmallIntegerField(db_default=0)),
                    ],
                    options={
                        "indexes": [
                            models.Index(fields=["kind", "next_due_at"], name="clock_due"),
                            models.Index(fields=["lane", "next_due_at"], name="clock_of_lane"),
                        ]
                    },
                ),
                migrations.RemoveIndex(model_name="lane", name="lane_due"),
                migrations.RemoveField(model_name="lane", name="next_due_at"),
                migrations.RemoveField(model_name="lane", name="swept_to"),
                migrations.RemoveField(model_name="lane", name="idle_rounds"),
            ],
        ),
    ]
