//! SQLite.

use super::{Dialect, Structured};

macro_rules! fence {
    () => {
        "UPDATE jobs SET seq = s.value ->> 4, claims = 0
         FROM json_each($1) AS s
         WHERE jobs.id = s.value ->> 0 AND jobs.owner = s.value ->> 1
           AND jobs.epoch = s.value ->> 2 AND jobs.seq = s.value ->> 3
         RETURNING id, EXISTS (SELECT 1 FROM requests WHERE job = jobs.id);"
    };
}

macro_rules! write {
    () => {
        "INSERT INTO atoms (job, atom, name, state, epoch, form, content)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, $10, value -> 5
         FROM json_each($1) WHERE true
         ON CONFLICT (job, atom) DO UPDATE SET name = excluded.name, state = excluded.state,
             epoch = excluded.epoch, form = excluded.form, content = excluded.content;
         INSERT INTO events (job, seq, epoch, form, record)
         SELECT value ->> 0, value ->> 1, value ->> 2, $10, value -> 3 FROM json_each($2);
         UPDATE jobs SET state = f.value ->> 1, ended = f.value ->> 2, reverting = f.value ->> 3,
             abandoned = f.value ->> 4, cause = f.value ->> 5, deadline = f.value ->> 6,
             started_at = f.value ->> 7, since = f.value ->> 8,
             owner = CASE WHEN f.value ->> 2 = 1 THEN NULL ELSE owner END
         FROM json_each($3) AS f WHERE jobs.id = f.value ->> 0;
         DELETE FROM requests WHERE id IN (
             SELECT r.id FROM json_each($4) AS a CROSS JOIN requests AS r
             WHERE r.id = a.value ->> 1 AND r.job = a.value ->> 0);
         DELETE FROM requests WHERE job IN (SELECT value FROM json_each($5));
         INSERT INTO logs (job, task, attempt, phase, n, stream, at, bytes)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
             value ->> 6, coalesce(substr($7, value ->> 7, value ->> 8), x'') FROM json_each($6);
         DELETE FROM logs WHERE id IN (
             SELECT l.id FROM json_each($8) AS t CROSS JOIN logs AS l
             WHERE l.job = t.value ->> 0 AND l.task = t.value ->> 1 AND l.attempt = t.value ->> 2
               AND l.phase = t.value ->> 3 AND l.n >= t.value ->> 4 AND l.n < t.value ->> 5);
         SELECT DISTINCT job FROM requests WHERE job IN (SELECT value FROM json_each($9));"
    };
}

macro_rules! remove {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE job IN (
                 SELECT j.id FROM json_each($1) AS gone CROSS JOIN jobs AS j
                 WHERE j.id = gone.value AND j.ended = 1);"
        )
    };
}

/// SQLite. `BEGIN IMMEDIATE` is the lock: until the commit nobody else writes, so that within one script
/// the guards may come before the update that they guard.
pub(super) const SQLITE: Dialect = Dialect {
    structured: Structured::Nested,
    commit_one: Some(
        "
        INSERT INTO steps (job, owner, epoch, seq, after, atoms, records, form)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING EXISTS (SELECT 1 FROM requests AS r WHERE r.job = steps.job)",
    ),
    begin_fence: concat!("BEGIN IMMEDIATE;", fence!()),
    fence: fence!(),
    write: write!(),
    write_commit: concat!(write!(), "COMMIT"),
    create: "
        BEGIN IMMEDIATE;
        INSERT INTO jobs (id, name, dedup_key, digest, requires, priority, created_at, state, ended,
            reverting, abandoned, since, epoch, seq, claims)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'PENDING', 0, 0, 0, $7, 0, 0, 0);
        INSERT INTO sources (job, form, bundle, inputs, secrets) VALUES ($1, $8, $9, $10, $11);
        COMMIT",
    existing: "
        SELECT 0 AS place, id FROM jobs WHERE dedup_key = $2
        UNION ALL SELECT 1, id FROM jobs WHERE id = $1 ORDER BY 1 LIMIT 1",
    own: "
        UPDATE jobs SET epoch = epoch + 1, owner = $2, claims = claims + 1
        WHERE id = $1 AND ended = 0
          AND (state NOT IN ('SUSPENDED', 'STUCK')
               OR EXISTS (SELECT 1 FROM requests WHERE job = $1))
        RETURNING epoch",
    disown: "
        UPDATE jobs SET owner = NULL WHERE id = $1 AND owner = $2 AND epoch = $3 RETURNING id",
    request: "
        INSERT INTO requests (job, kind, at, form, body)
        SELECT id, $2, $3, $4, $5 FROM jobs WHERE id = $1 AND ended = 0
        RETURNING id",
    stall: "
        BEGIN IMMEDIATE;
        INSERT INTO events (job, seq, epoch, form, record)
        SELECT id, seq + 1, epoch, $7, $6 FROM jobs
        WHERE id = $1 AND owner = $2 AND epoch = $3 AND ended = 0;
        UPDATE jobs SET state = 'STUCK', cause = $4, since = $5, seq = seq + 1, claims = 0
        WHERE id = $1 AND owner = $2 AND epoch = $3 AND ended = 0
        RETURNING id;
        COMMIT",
    load: concat!("BEGIN;", job_rows!()),
    remove: concat!(
        "BEGIN IMMEDIATE;",
        remove!("logs"),
        remove!("events"),
        remove!("atoms"),
        remove!("requests"),
        remove!("sources"),
        "DELETE FROM jobs WHERE ended = 1 AND id IN (SELECT value FROM json_each($1));
         COMMIT"
    ),
};
