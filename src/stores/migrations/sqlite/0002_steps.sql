-- A way to commit a step with one statement, which is its own transaction: each further one would cost a hand-over
-- between two threads. Nothing is ever in this view; a row that is inserted is a step, and is ignored if its claim
-- does not stand any more.
CREATE VIEW steps AS
SELECT NULL AS job, NULL AS owner, NULL AS epoch, NULL AS seq, NULL AS after, NULL AS atoms,
    NULL AS records, NULL AS form
WHERE false;

CREATE TRIGGER steps_are_committed INSTEAD OF INSERT ON steps BEGIN
    SELECT RAISE(IGNORE) WHERE NOT EXISTS (
        SELECT 1 FROM jobs
        WHERE id = NEW.job AND owner = NEW.owner AND epoch = NEW.epoch AND seq = NEW.seq);
    UPDATE jobs SET seq = NEW.after, claims = 0 WHERE id = NEW.job;
    INSERT INTO atoms (job, atom, name, state, epoch, form, content)
    SELECT NEW.job, value ->> 0, value ->> 1, value ->> 2, NEW.epoch, NEW.form, value -> 3
    FROM json_each(NEW.atoms) WHERE true
    ON CONFLICT (job, atom) DO UPDATE SET name = excluded.name, state = excluded.state,
        epoch = excluded.epoch, form = excluded.form, content = excluded.content;
    INSERT INTO events (job, seq, epoch, form, record)
    SELECT NEW.job, NEW.seq + 1 + key, NEW.epoch, NEW.form, value FROM json_each(NEW.records);
END;
