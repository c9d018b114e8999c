//! PostgreSQL. Each `requires` has a queue, named by its SHA-256: an index holds that whatever its length.
//!
//! The planner must not be wise, whatever its statistics say: the order and `LIMIT 1` keep it from gathering all that a
//! queue holds, and leases are looked for by `until` alone, which is 0 for what is not leased.

use super::{Dialect, Queues};

macro_rules! queue {
    ($requires:literal) => {
        concat!("encode(sha256(convert_to(", $requires, ", 'UTF8')), 'hex')")
    };
}

/// The first posting of the first queue.
macro_rules! first_queue {
    ($behind:literal) => {
        concat!(
            "SELECT p.queue, p.job, CASE WHEN p.queue = ",
            queue!("p.requires"),
            "    THEN 1 ELSE 0 END, CASE WHEN EXISTS (
                 SELECT 1 FROM queues AS k WHERE k.queue = p.queue AND k.requires = p.requires)
                 THEN 1 ELSE 0 END
             FROM postings AS p WHERE p.leased = 0 ",
            $behind,
            " ORDER BY p.queue, p.priority, p.n LIMIT 1"
        )
    };
}

pub(super) const POSTGRES: Dialect = Dialect {
    post: concat!(
        "WITH known AS (
             INSERT INTO queues (queue, requires) SELECT ",
        queue!("$2"),
        ", $2 WHERE NOT EXISTS (SELECT 1 FROM queues WHERE queue = ",
        queue!("$2"),
        ") ON CONFLICT (queue) DO NOTHING
         ), posted AS (
             INSERT INTO postings (job, requires, queue, priority, leased, holder, until, expired)
             VALUES ($1, $2, ",
        queue!("$2"),
        ", $3, $4, $5, $6, 0)
             ON CONFLICT (job) DO UPDATE SET requires = excluded.requires, queue = excluded.queue,
                 priority = excluded.priority, leased = excluded.leased, holder = excluded.holder,
                 until = excluded.until
             WHERE postings.leased = 2
         )
         UPDATE pulse SET beat = beat + 1"
    ),
    requirements: "
        SELECT k.requires FROM queues AS k
        WHERE (SELECT 1 FROM postings AS p WHERE p.leased = 0 AND p.queue = k.queue
               ORDER BY p.priority, p.n LIMIT 1) = 1
        UNION
        SELECT requires FROM postings WHERE until BETWEEN 1 AND $1",
    of_queue: concat!(
        "SELECT job FROM postings WHERE leased = 0 AND queue = ",
        queue!("$1"),
        " UNION SELECT job FROM postings WHERE until BETWEEN 1 AND $2 AND requires = $1"
    ),
    claimable: concat!(
        "SELECT 1 FROM json_array_elements_text($1::json) AS able (requires)
         WHERE (SELECT 1 FROM postings WHERE leased = 0 AND queue = ",
        queue!("able.requires"),
        "        ORDER BY priority, n LIMIT 1) = 1
         UNION ALL
         SELECT 1 WHERE EXISTS (SELECT 1 FROM postings WHERE until BETWEEN 1 AND $2)
         LIMIT 1"
    ),
    claim: concat!(
        "UPDATE postings SET leased = 0, until = 0 WHERE n IN (
             SELECT n FROM postings WHERE until BETWEEN 1 AND $2 FOR UPDATE SKIP LOCKED);
         UPDATE postings SET leased = 1, holder = $3, until = $4,
             expired = CASE WHEN holder IS NULL THEN 0 ELSE 1 END
         WHERE n = (
             SELECT p.n FROM json_array_elements_text($1::json) AS able (requires)
             CROSS JOIN LATERAL (
                 SELECT q.n, q.priority FROM postings AS q
                 WHERE q.leased = 0 AND q.queue = ",
        queue!("able.requires"),
        "        ORDER BY q.priority, q.n LIMIT 1 FOR UPDATE SKIP LOCKED) AS p
             ORDER BY p.priority, p.n LIMIT 1)
         RETURNING job, expired, CASE WHEN queue = ",
        queue!("requires"),
        " THEN 1 ELSE 0 END"
    ),
    renew: "
        UPDATE postings SET leased = 1, until = $2
        FROM json_array_elements_text($3::json) AS named (job)
        WHERE postings.job = named.job AND holder = $1 RETURNING postings.job",
    release: "
        WITH released AS (
            UPDATE postings SET leased = 0, holder = NULL, until = 0
            WHERE job = $2 AND holder = $1 RETURNING job
        ), told AS (
            UPDATE pulse SET beat = beat + 1 WHERE EXISTS (SELECT 1 FROM released)
        )
        SELECT job FROM released",
    complete: "
        WITH completed AS (
            DELETE FROM postings WHERE job = $2 AND holder = $1 RETURNING job
        ), told AS (
            UPDATE pulse SET beat = beat + 1 WHERE EXISTS (SELECT 1 FROM completed)
        )
        SELECT job FROM completed",
    known: "
        SELECT p.job, CASE WHEN p.leased = 1 AND p.until <= 0 THEN 1 ELSE 0 END
        FROM json_array_elements_text($1::json) AS named (job)
        JOIN postings AS p ON p.job = named.job WHERE p.leased < 2",
    queues: Some(Queues {
        first: first_queue!(""),
        next: first_queue!("AND p.queue > $1"),
        keep: "
            WITH kept AS (
                INSERT INTO queues (queue, requires)
                SELECT queue, requires FROM postings WHERE job = $1
                ON CONFLICT (queue) DO UPDATE SET requires = excluded.requires
            )
            UPDATE pulse SET beat = beat + 1",
        set_aside: "
            UPDATE postings SET leased = 2, holder = NULL, until = 0 WHERE job = $1 AND queue = $2",
    }),
    snapshot: "
        SELECT job, requires, priority, holder, until FROM postings
        WHERE leased + 0 < 2 ORDER BY priority + 0, n LIMIT $1",
    register: "
        DELETE FROM conductors WHERE until <= $2;
        INSERT INTO conductors (id, seen_at, until, body) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET seen_at = $2, until = $3, body = $4",
};
