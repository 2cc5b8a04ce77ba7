"""What Django's models cannot say about the outbox."""

from django.db import migrations

SQL = """
ALTER TABLE outbox_lane SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0);

-- No unique index, on purpose: see the model.
CREATE TABLE outbox_clock (
    lane_id uuid NOT NULL REFERENCES outbox_lane (id) ON DELETE CASCADE,
    kind varchar(10) NOT NULL,
    next_due_at timestamptz NOT NULL DEFAULT now(),
    swept_to timestamptz,
    idle_rounds smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);
ALTER TABLE outbox_clock REPLICA IDENTITY FULL;
CREATE INDEX clock_due ON outbox_clock (kind, next_due_at);
CREATE INDEX clock_of_lane ON outbox_clock (lane_id, next_due_at);

CREATE FUNCTION make_clock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox_clock (lane_id, kind) VALUES (NEW.id, NEW.kind);
    RETURN NULL;
END $$;
CREATE TRIGGER lane_has_a_clock AFTER INSERT ON outbox_lane FOR EACH ROW EXECUTE FUNCTION make_clock();
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_initial")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
