//! MySQL 8 and MariaDB 10.6, in the words that both know.
//!
//! Batches are read by `JSON_TABLE`, whose text columns need the character set said; `STRAIGHT_JOIN` makes the batch
//! what is walked through and the table what is looked up. Neither gives back what an update has changed: what one
//! must know of it goes through `LAST_INSERT_ID`, in the same statement. MySQL wants to be told that a batch is not to be
//! locked: `OF`, which MariaDB does not know.

use super::{Dialect, Structured};

/// The type of a column of a batch that holds text.
macro_rules! text {
    () => {
        "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH "
    };
}

/// The same for ids, so that they are compared without being converted.
macro_rules! id {
    () => {
        "VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH "
    };
}

macro_rules! steps {
    () => {
        concat!(
            "JSON_TABLE($1, '$[*]' COLUMNS (
                 job ",
            id!(),
            "'$[0]', owner ",
            text!(),
            "'$[1]', epoch BIGINT PATH '$[2]',
                 seq BIGINT PATH '$[3]', after BIGINT PATH '$[4]')) AS s
             STRAIGHT_JOIN jobs AS j
                 ON j.id = s.job AND j.owner = s.owner AND j.epoch = s.epoch AND j.seq = s.seq"
        )
    };
}

macro_rules! fence {
    () => {
        concat!(
            "SELECT j.id, j.asked FROM ",
            steps!(),
            " FOR UPDATE /*!80000 OF j */;
             UPDATE ",
            steps!(),
            " SET j.seq = s.after, j.claims = 0;"
        )
    };
}

/// An atom that is known is changed from the batch `b`: MariaDB has no name for the row that was to be inserted, and MySQL
/// gives up `VALUES()`.
macro_rules! write {
    () => {
        concat!(
            "INSERT INTO atoms (job, atom, name, state, epoch, form, content)
             SELECT b.job, b.atom, b.name, b.state, b.epoch, $10, b.content
             FROM JSON_TABLE($1, '$[*]' COLUMNS (
                 job ", id!(), "'$[0]', atom BIGINT PATH '$[1]', name ", text!(), "'$[2]',
                 state ", text!(), "'$[3]', epoch BIGINT PATH '$[4]', content ", text!(), "'$[5]')) AS b
             ON DUPLICATE KEY UPDATE name = b.name, state = b.state, epoch = b.epoch, form = $10, content = b.content;
             INSERT INTO events (job, seq, epoch, form, record)
             SELECT b.job, b.seq, b.epoch, $10, b.record
             FROM JSON_TABLE($2, '$[*]' COLUMNS (
                 job ", id!(), "'$[0]', seq BIGINT PATH '$[1]', epoch BIGINT PATH '$[2]',
                 record ", text!(), "'$[3]')) AS b;
             UPDATE JSON_TABLE($3, '$[*]' COLUMNS (
                 job ", id!(), "'$[0]', state ", text!(), "'$[1]', ended BIGINT PATH '$[2]',
                 reverting BIGINT PATH '$[3]', abandoned BIGINT PATH '$[4]', cause ", text!(), "'$[5]',
                 deadline BIGINT PATH '$[6]', started_at BIGINT PATH '$[7]',
                 since BIGINT PATH '$[8]')) AS f
             STRAIGHT_JOIN jobs AS j ON j.id = f.job
             SET j.state = f.state, j.ended = f.ended, j.reverting = f.reverting,
                 j.abandoned = f.abandoned, j.cause = f.cause, j.deadline = f.deadline,
                 j.started_at = f.started_at, j.since = f.since,
                 j.owner = CASE WHEN f.ended = 1 THEN NULL ELSE j.owner END;
             DELETE r FROM JSON_TABLE($4, '$[*]' COLUMNS (
                 job ", id!(), "'$[0]', request BIGINT PATH '$[1]')) AS a
             STRAIGHT_JOIN requests AS r ON r.id = a.request AND r.job = a.job;
             DELETE r FROM JSON_TABLE($5, '$[*]' COLUMNS (job ", id!(), "'$')) AS e
             STRAIGHT_JOIN requests AS r ON r.job = e.job;
             UPDATE JSON_TABLE($9, '$[*]' COLUMNS (job ", id!(), "'$')) AS a
             STRAIGHT_JOIN jobs AS j ON j.id = a.job
             SET j.asked = EXISTS (SELECT 1 FROM requests AS r WHERE r.job = j.id);
             INSERT INTO logs (job, task, attempt, phase, n, stream, at, bytes)
             SELECT c.job, c.task, c.attempt, c.phase, c.n, c.stream, c.at,
                 SUBSTRING($7, c.first, c.length)
             FROM JSON_TABLE($6, '$[*]' COLUMNS (
                 job ", id!(), "'$[0]', task ", text!(), "'$[1]', attempt BIGINT PATH '$[2]',
                 phase ", text!(), "'$[3]', n BIGINT PATH '$[4]', stream ", text!(), "'$[5]',
                 at BIGINT PATH '$[6]', first BIGINT PATH '$[7]', length BIGINT PATH '$[8]')) AS c;
             DELETE l FROM JSON_TABLE($8, '$[*]' COLUMNS (
                 job ", id!(), "'$[0]', task ", text!(), "'$[1]', attempt BIGINT PATH '$[2]',
                 phase ", text!(), "'$[3]', first BIGINT PATH '$[4]', end BIGINT PATH '$[5]')) AS t
             STRAIGHT_JOIN logs AS l ON l.job = t.job AND l.task = t.task
                 AND l.attempt = t.attempt AND l.phase = t.phase AND l.n >= t.first AND l.n < t.end;
             SELECT DISTINCT r.job FROM JSON_TABLE($9, '$[*]' COLUMNS (job ", id!(), "'$')) AS a
             STRAIGHT_JOIN requests AS r ON r.job = a.job;"
        )
    };
}

macro_rules! ended {
    () => {
        concat!(
            "JSON_TABLE($1, '$[*]' COLUMNS (job ",
            id!(),
            "'$')) AS gone STRAIGHT_JOIN jobs AS j ON j.id = gone.job AND j.ended = 1"
        )
    };
}

macro_rules! remove {
    ($table:literal) => {
        concat!(
            "DELETE t FROM ",
            ended!(),
            " STRAIGHT_JOIN ",
            $table,
            " AS t ON t.job = j.id;"
        )
    };
}

/// Five statements for a link of a chain, in a packet: BEGIN, the fence, the events, the atoms, COMMIT.
pub(super) const MYSQL: Dialect = Dialect {
    structured: Structured::Text,
    commit_one: None,
    begin_fence: concat!("BEGIN;", fence!()),
    fence: fence!(),
    write: write!(),
    write_commit: concat!(write!(), "COMMIT"),
    create: "
        BEGIN;
        INSERT INTO jobs (id, name, dedup_key, key_hash, digest, requires, priority, created_at,
            state, ended, reverting, abandoned, since, epoch, seq, claims)
        VALUES ($1, $2, $3, SHA2($3, 256), $4, $5, $6, $7, 'PENDING', 0, 0, 0, $7, 0, 0, 0);
        INSERT INTO sources (job, form, bundle, inputs, secrets) VALUES ($1, $8, $9, $10, $11);
        COMMIT",
    existing: "
        SELECT 0 AS place, id FROM jobs WHERE key_hash = SHA2($2, 256)
        UNION ALL SELECT 1, id FROM jobs WHERE id = $1 ORDER BY 1 LIMIT 1",
    own: "
        GUARD UPDATE jobs
        SET epoch = LAST_INSERT_ID(epoch + 1), owner = $2, claims = claims + 1
        WHERE id = $1 AND ended = 0
          AND (state NOT IN ('SUSPENDED', 'STUCK')
               OR EXISTS (SELECT 1 FROM requests AS r WHERE r.job = jobs.id))",
    disown: "
        GUARD UPDATE jobs SET owner = NULL WHERE id = $1 AND owner = $2 AND epoch = $3",
    request: "
        BEGIN;
        GUARD UPDATE jobs SET asked = 1 WHERE id = $1 AND ended = 0;
        GUARDED INSERT INTO requests (job, kind, at, form, body)
        SELECT id, $2, $3, $4, $5 FROM jobs WHERE id = $1 AND ended = 0;
        COMMIT",
    stall: "
        BEGIN;
        GUARD UPDATE jobs SET state = 'STUCK', cause = $4, since = $5, seq = seq + 1, claims = 0
        WHERE id = $1 AND owner = $2 AND epoch = $3 AND ended = 0;
        GUARDED INSERT INTO events (job, seq, epoch, form, record)
        SELECT id, seq, epoch, $7, $6 FROM jobs
        WHERE id = $1 AND owner = $2 AND epoch = $3 AND ended = 0;
        COMMIT",
    remove: concat!(
        "BEGIN;",
        remove!("logs"),
        remove!("events"),
        remove!("atoms"),
        remove!("requests"),
        remove!("sources"),
        "DELETE j FROM ",
        ended!(),
        ";
         COMMIT"
    ),
    load: concat!(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION READ ONLY;",
        job_rows!()
    ),
};
