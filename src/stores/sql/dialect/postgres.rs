//! PostgreSQL. Whole changes are single statements: what they change flows from one part of them to the next.

use super::{Dialect, Structured};

macro_rules! fence {
    () => {
        "UPDATE jobs SET seq = (s.value ->> 4)::bigint, claims = 0
         FROM json_array_elements($1::json) AS s (value)
         WHERE jobs.id = s.value ->> 0 AND jobs.owner = s.value ->> 1
           AND jobs.epoch = (s.value ->> 2)::bigint AND jobs.seq = (s.value ->> 3)::bigint
         RETURNING id,
             CASE WHEN EXISTS (SELECT 1 FROM requests WHERE job = jobs.id) THEN 1 ELSE 0 END;"
    };
}

macro_rules! upsert_atoms {
    () => {
        " ON CONFLICT (job, atom) DO UPDATE SET name = excluded.name, state = excluded.state,
              epoch = excluded.epoch, form = excluded.form, content = excluded.content"
    };
}

macro_rules! write {
    () => {
        concat!(
            "INSERT INTO atoms (job, atom, name, state, epoch, form, content)
             SELECT value ->> 0, (value ->> 1)::bigint, value ->> 2, value ->> 3,
                 (value ->> 4)::bigint, $10, value ->> 5
             FROM json_array_elements($1::json) AS b (value)",
            upsert_atoms!(),
            ";
             INSERT INTO events (job, seq, epoch, form, record)
             SELECT value ->> 0, (value ->> 1)::bigint, (value ->> 2)::bigint, $10, value ->> 3
             FROM json_array_elements($2::json) AS b (value);
             UPDATE jobs SET state = f.value ->> 1, ended = (f.value ->> 2)::bigint,
                 reverting = (f.value ->> 3)::bigint, abandoned = (f.value ->> 4)::bigint,
                 cause = f.value ->> 5, deadline = (f.value ->> 6)::bigint,
                 started_at = (f.value ->> 7)::bigint, since = (f.value ->> 8)::bigint,
                 owner = CASE WHEN f.value ->> 2 = '1' THEN NULL ELSE owner END
             FROM json_array_elements($3::json) AS f (value) WHERE jobs.id = f.value ->> 0;
             DELETE FROM requests USING json_array_elements($4::json) AS a (value)
             WHERE requests.id = (a.value ->> 1)::bigint AND requests.job = a.value ->> 0;
             DELETE FROM requests USING json_array_elements_text($5::json) AS e (job)
             WHERE requests.job = e.job;
             INSERT INTO logs (job, task, attempt, phase, n, stream, at, bytes)
             SELECT value ->> 0, value ->> 1, (value ->> 2)::bigint, value ->> 3,
                 (value ->> 4)::bigint, value ->> 5, (value ->> 6)::bigint,
                 substr($7, (value ->> 7)::integer, (value ->> 8)::integer)
             FROM json_array_elements($6::json) WITH ORDINALITY AS c (value, place) ORDER BY place;
             DELETE FROM logs USING json_array_elements($8::json) AS t (value)
             WHERE logs.job = t.value ->> 0 AND left(logs.task, 200) = left(t.value ->> 1, 200)
               AND logs.task = t.value ->> 1 AND logs.attempt = (t.value ->> 2)::bigint
               AND logs.phase = t.value ->> 3 AND logs.n >= (t.value ->> 4)::bigint
               AND logs.n < (t.value ->> 5)::bigint;
             SELECT DISTINCT job FROM requests
             WHERE job IN (SELECT a.job FROM json_array_elements_text($9::json) AS a (job));"
        )
    };
}

macro_rules! key_hash {
    ($key:literal) => {
        concat!("encode(sha256(convert_to(", $key, ", 'UTF8')), 'hex')")
    };
}

macro_rules! remove {
    ($table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " AS t USING json_array_elements_text($1::json) AS gone (job), jobs AS j
             WHERE j.id = gone.job AND j.ended = 1 AND t.job = j.id;"
        )
    };
}

/// One statement for a link of a chain.
pub(super) const POSTGRES: Dialect = Dialect {
    structured: Structured::Text,
    commit_one: Some(concat!(
        "ALWAYS WITH moved AS (
             UPDATE jobs SET seq = $5, claims = 0
             WHERE id = $1 AND owner = $2 AND epoch = $3 AND seq = $4
             RETURNING id, epoch
         ), written AS (
             INSERT INTO atoms (job, atom, name, state, epoch, form, content)
             SELECT moved.id, (value ->> 0)::bigint, value ->> 1, value ->> 2, moved.epoch, $8,
                 value ->> 3
             FROM moved CROSS JOIN json_array_elements($6::json) AS b (value)",
        upsert_atoms!(),
        "), told AS (
             INSERT INTO events (job, seq, epoch, form, record)
             SELECT moved.id, $4 + place, moved.epoch, $8, value #>> '{}'
             FROM moved CROSS JOIN json_array_elements($7::json) WITH ORDINALITY AS b (value, place)
         )
         SELECT CASE WHEN EXISTS (SELECT 1 FROM requests WHERE job = $1) THEN 1 ELSE 0 END
         FROM moved"
    )),
    begin_fence: concat!("BEGIN;", fence!()),
    fence: fence!(),
    write: write!(),
    write_commit: concat!(write!(), "COMMIT"),
    create: concat!(
        "WITH source AS (
             INSERT INTO sources (job, form, bundle, inputs, secrets) VALUES ($1, $8, $9, $10, $11)
         )
         INSERT INTO jobs (id, name, dedup_key, key_hash, digest, requires, priority, created_at,
             state, ended, reverting, abandoned, since, epoch, seq, claims)
         VALUES ($1, $2, $3, ",
        key_hash!("$3"),
        ", $4, $5, $6, $7, 'PENDING', 0, 0, 0, $7, 0, 0, 0)"
    ),
    existing: concat!(
        "SELECT 0 AS place, id FROM jobs WHERE key_hash = ",
        key_hash!("$2"),
        " UNION ALL SELECT 1, id FROM jobs WHERE id = $1 ORDER BY 1 LIMIT 1"
    ),
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
        SELECT id, $2, $3, $4, $5 FROM jobs WHERE id = $1 AND ended = 0 FOR SHARE
        RETURNING id",
    stall: "
        WITH stuck AS (
            UPDATE jobs SET state = 'STUCK', cause = $4, since = $5, seq = seq + 1, claims = 0
            WHERE id = $1 AND owner = $2 AND epoch = $3 AND ended = 0
            RETURNING id, seq, epoch
        ), told AS (
            INSERT INTO events (job, seq, epoch, form, record)
            SELECT id, seq, epoch, $7, $6 FROM stuck
        )
        SELECT id FROM stuck",
    remove: concat!(
        "BEGIN;",
        remove!("logs"),
        remove!("events"),
        remove!("atoms"),
        remove!("requests"),
        remove!("sources"),
        "DELETE FROM jobs USING json_array_elements_text($1::json) AS gone (job)
         WHERE jobs.id = gone.job AND jobs.ended = 1;
         COMMIT"
    ),
    load: concat!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
        job_rows!()
    ),
};
