//! SQLite.

use super::Dialect;

/// Beats the pulse if the statement before it changed something. SQLite's `changes()` tells.
macro_rules! beat_if_changed {
    () => {
        "UPDATE pulse SET beat = beat + 1 WHERE changes() > 0;"
    };
}

/// The first ready job of each of the queues `$1`, a JSON array, in the order in which they are claimed.
macro_rules! first_ready {
    () => {
        "SELECT p.job FROM json_each($1) AS able CROSS JOIN postings AS p
         WHERE p.n = (SELECT q.n FROM postings AS q
                      WHERE q.leased = 0 AND q.requires = able.value
                      ORDER BY q.priority, q.n LIMIT 1)
         ORDER BY p.priority, p.n LIMIT 1"
    };
}

/// Who is to beat the pulse is told by `changes()`. The distinct queues are found by leaping from one to the next, not
/// by walking through them.
pub(in crate::boards::sql) const SQLITE: Dialect = Dialect {
    post: concat!(
        "BEGIN IMMEDIATE;
     INSERT INTO postings (job, requires, priority, leased, holder, until, expired)
     VALUES ($1, $2, $3, $4, $5, $6, 0)
     ON CONFLICT (job) DO UPDATE SET requires = $2, priority = $3, leased = $4, holder = $5, until = $6
     WHERE postings.leased = 2;",
        beat_if_changed!(),
        "COMMIT"
    ),
    requirements: "
    WITH RECURSIVE queue (requires) AS (
        SELECT min(requires) FROM postings WHERE leased = 0
        UNION ALL
        SELECT (SELECT min(p.requires) FROM postings AS p
                WHERE p.leased = 0 AND p.requires > queue.requires)
        FROM queue WHERE queue.requires IS NOT NULL
    )
    SELECT requires FROM queue WHERE requires IS NOT NULL
    UNION
    SELECT requires FROM postings WHERE leased = 1 AND until <= $1
    ORDER BY 1",
    of_queue: "
    SELECT job FROM postings WHERE leased = 0 AND requires = $1
    UNION
    SELECT job FROM postings WHERE leased = 1 AND until <= $2 AND requires = $1",
    claimable: concat!(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM postings WHERE leased = 1 AND until <= $2)
     OR EXISTS (",
        first_ready!(),
        ")"
    ),
    claim: concat!(
        "BEGIN IMMEDIATE;
     UPDATE postings SET leased = 0 WHERE leased = 1 AND until <= $2;
     UPDATE postings SET leased = 1, holder = $3, until = $4, expired = holder IS NOT NULL
     WHERE job = (",
        first_ready!(),
        ") RETURNING job, expired, 1;
     COMMIT"
    ),
    renew: "
        UPDATE postings SET leased = 1, until = $2
        WHERE holder = $1 AND job IN (SELECT value FROM json_each($3)) RETURNING job",
    release: concat!(
        "BEGIN IMMEDIATE;
     UPDATE postings SET leased = 0, holder = NULL, until = 0 WHERE job = $2 AND holder = $1
     RETURNING job;",
        beat_if_changed!(),
        "COMMIT"
    ),
    complete: concat!(
        "BEGIN IMMEDIATE;
     DELETE FROM postings WHERE job = $2 AND holder = $1 RETURNING job;",
        beat_if_changed!(),
        "COMMIT"
    ),
    known: "
        SELECT job, 0 FROM postings
        WHERE job IN (SELECT value FROM json_each($1)) AND leased < 2",
    // What is ready is looked at, whatever it requires, and what was leased until long ago too.
    queues: None,
    snapshot: "
        SELECT job, requires, priority, holder, until FROM postings
        WHERE leased + 0 < 2 ORDER BY priority, n LIMIT $1",
    register: "
        BEGIN IMMEDIATE;
        DELETE FROM conductors WHERE until <= $2;
        INSERT INTO conductors (id, seen_at, until, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET seen_at = $2, until = $3, body = $4;
        COMMIT",
};
