"""What Django's models cannot say about the outbox."""

from django.db import migrations

SQL = """
ALTER TABLE outbox_lane SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0);

-- No unique index, on purpose: see the model.
CREATE TABLE outbox_lanetimer (
    lane_id uuid NOT NULL REFERENCES outbox_lane (id) ON DELETE CASCADE,
    kind varchar(10) NOT NULL,
    check_at timestamptz NOT NULL DEFAULT now(),
    swept_to timestamptz,
    idle_rounds smallint NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200,
        autovacuum_vacuum_cost_delay = 0);
ALTER TABLE outbox_lanetimer REPLICA IDENTITY FULL;
CREATE INDEX lanetimer_due ON outbox_lanetimer (kind, check_at);
CREATE INDEX lanetimer_of_lane ON outbox_lanetimer (lane_id, check_at);

CREATE FUNCTION make_lanetimer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox_lanetimer (lane_id, kind) VALUES (NEW.id, NEW.kind);
    RETURN NULL;
END $$;
CREATE TRIGGER lane_has_a_lanetimer AFTER INSERT ON outbox_lane FOR EACH ROW EXECUTE FUNCTION make_lanetimer();
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_initial")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
