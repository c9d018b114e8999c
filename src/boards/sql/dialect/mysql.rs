//! MySQL 8 and MariaDB 10.6, in the words that both know.
//!
//! Each `requires` has a queue, named by its SHA-256: an index holds that whatever its length. Statements stand alone:
//! what is lost between two of them is a beat of the pulse, or that an old lease counts as ready a moment later.
//!
//! The optimizer must not be wise, whatever its statistics say: `LIMIT 1` keeps it from gathering all that a queue holds,
//! and leases are looked for by `until` alone, which is 0 for what is not leased.

use super::{Dialect, Queues};

macro_rules! able {
    () => {
        "JSON_TABLE($1, '$[*]' COLUMNS (
             requires LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) AS able"
    };
}

/// The first ready job of a queue; those that somebody is just claiming are passed over. MySQL wants to be told that the
/// batch is not to be locked, in words that MariaDB does not know.
macro_rules! first_of {
    ($lock:literal) => {
        concat!(
            "(SELECT q.n FROM postings AS q FORCE INDEX (postings_queue)
              WHERE q.leased = 0 AND q.queue = SHA2(able.requires, 256)
              ORDER BY q.priority, q.n LIMIT 1 ",
            $lock,
            ")"
        )
    };
}

/// The postings of jobs, a JSON array.
macro_rules! named {
    ($jobs:literal) => {
        concat!(
            "JSON_TABLE(",
            $jobs,
            ", '$[*]' COLUMNS (
             job VARCHAR(36) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$')) AS named
         STRAIGHT_JOIN postings AS p ON p.job = named.job"
        )
    };
}

/// The first posting of the first queue.
macro_rules! first_queue {
    ($behind:literal) => {
        concat!(
            "SELECT p.queue, p.job, p.queue = SHA2(p.requires, 256), EXISTS (
                 SELECT 1 FROM queues AS k WHERE k.queue = p.queue AND k.requires = p.requires)
             FROM postings AS p FORCE INDEX (postings_queue) WHERE p.leased = 0 ",
            $behind,
            " ORDER BY p.queue, p.priority, p.n LIMIT 1"
        )
    };
}

pub(super) const MYSQL: Dialect = Dialect {
    post: "
        INSERT INTO queues (queue, requires)
        SELECT SHA2($2, 256), $2 FROM DUAL
        WHERE NOT EXISTS (SELECT 1 FROM queues WHERE queue = SHA2($2, 256))
        ON DUPLICATE KEY UPDATE queues.queue = queues.queue;
        INSERT INTO postings (job, requires, queue, priority, leased, holder, until, expired)
        VALUES ($1, $2, SHA2($2, 256), $3, $4, $5, $6, 0)
        ON DUPLICATE KEY UPDATE requires = IF(leased = 2, $2, requires),
            queue = IF(leased = 2, SHA2($2, 256), queue), priority = IF(leased = 2, $3, priority),
            holder = IF(leased = 2, $5, holder), until = IF(leased = 2, $6, until),
            leased = IF(leased = 2, $4, leased);
        UPDATE pulse SET beat = beat + 1 WHERE id = 1",
    requirements: "
        SELECT k.requires FROM queues AS k
        WHERE (SELECT 1 FROM postings AS p FORCE INDEX (postings_queue)
               WHERE p.leased = 0 AND p.queue = k.queue LIMIT 1) = 1
        UNION
        SELECT requires FROM postings WHERE until BETWEEN 1 AND $1",
    of_queue: "
        SELECT job FROM postings WHERE leased = 0 AND queue = SHA2($1, 256)
        UNION
        SELECT job FROM postings WHERE until BETWEEN 1 AND $2 AND queue = SHA2($1, 256)",
    claimable: concat!(
        "SELECT 1 FROM ",
        able!(),
        " WHERE (SELECT 1 FROM postings AS q FORCE INDEX (postings_queue)
                  WHERE q.leased = 0 AND q.queue = SHA2(able.requires, 256) LIMIT 1) = 1
          UNION ALL
          SELECT 1 FROM DUAL
          WHERE EXISTS (SELECT 1 FROM postings WHERE until BETWEEN 1 AND $2) LIMIT 1"
    ),
    claim: concat!(
        "UPDATE postings SET leased = 0, until = 0 WHERE until BETWEEN 1 AND $2;
         GUARD UPDATE (
             SELECT p.n, CASE WHEN p.holder IS NULL THEN 0 ELSE 1 END AS held FROM ",
        able!(),
        "    STRAIGHT_JOIN postings AS p ON p.n = ",
        first_of!("FOR UPDATE /*!80000 OF q */ SKIP LOCKED"),
        "    ORDER BY p.priority, p.n LIMIT 1 FOR UPDATE /*!80000 OF p */) AS first
         STRAIGHT_JOIN postings AS t ON t.n = first.n
         SET t.expired = first.held + 0 * LAST_INSERT_ID(t.n), t.leased = 1, t.holder = $3,
             t.until = $4
         WHERE t.leased = 0;
         SELECT job, expired, queue = SHA2(requires, 256) FROM postings
         WHERE n = LAST_INSERT_ID()"
    ),
    renew: concat!(
        "UPDATE ",
        named!("$3"),
        " SET p.leased = 1, p.until = $2 WHERE p.holder = $1;
         SELECT p.job FROM ",
        named!("$3"),
        " WHERE p.holder = $1"
    ),
    release: "
        GUARD UPDATE postings SET leased = 0, holder = NULL, until = 0
        WHERE job = $2 AND holder = $1;
        UPDATE pulse SET beat = beat + 1 WHERE id = 1",
    complete: "
        GUARD DELETE FROM postings WHERE job = $2 AND holder = $1;
        UPDATE pulse SET beat = beat + 1 WHERE id = 1",
    known: concat!(
        "SELECT p.job, p.leased = 1 AND p.until <= 0 FROM ",
        named!("$1"),
        " WHERE p.leased < 2"
    ),
    queues: Some(Queues {
        first: first_queue!(""),
        next: first_queue!("AND p.queue > $1"),
        keep: "
            INSERT INTO queues (queue, requires)
            SELECT p.queue, p.requires FROM postings AS p WHERE p.job = $1
            ON DUPLICATE KEY UPDATE queues.requires = p.requires;
            UPDATE pulse SET beat = beat + 1 WHERE id = 1",
        set_aside: "
            UPDATE postings SET leased = 2, holder = NULL, until = 0 WHERE job = $1 AND queue = $2",
    }),
    snapshot: "
        SELECT job, requires, priority, holder, until FROM postings
        WHERE leased + 0 < 2 ORDER BY priority, n LIMIT $1",
    register: "
        DELETE FROM conductors WHERE until <= $2;
        INSERT INTO conductors (id, seen_at, until, body) VALUES ($1, $2, $3, $4)
        ON DUPLICATE KEY UPDATE seen_at = $2, until = $3, body = $4",
};
