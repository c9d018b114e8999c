//! The SQL that is not the same everywhere: how a batch enters a statement, how a transaction is begun.
//!
//! A batch enters as one JSON array, whatever its size, so that each script is prepared once.

/// The scripts of one kind of database.
#[derive(Debug)]
pub(super) struct Dialect {
    /// One step without anything beside it, in one round trip. `$1` job, `$2` owner, `$3` epoch, `$4` seq before and
    /// `$5` after it, `$6` atoms `[[atom, name, state, content]]`, `$7` records, `$8` form.
    /// No row: fenced. One row: whether requests wait.
    pub(super) commit_one: &'static str,
    /// Begins a transaction, then as `fence`.
    pub(super) begin_fence: &'static str,
    /// Moves `seq` of the jobs that are not fenced. `$1` steps `[[job, owner, epoch, before, after]]`, each job once.
    /// A row for each job that was moved.
    pub(super) fence: &'static str,
    /// Writes what belongs to the jobs that were moved, and the log. `$1` atoms `[[job, atom, name, state, epoch,
    /// content]]`, `$2` events `[[job, seq, epoch, record]]`, `$3` flows `[[job, state, ended, reverting, abandoned,
    /// cause, deadline, started_at, since]]`, `$4` answered `[[job, request]]`, `$5` log chunks `[[job, task, attempt,
    /// phase, n, stream, at, first, length]]` and `$6` their bytes, `$7` log trims `[[job, task, attempt, phase, first,
    /// end]]`, `$8` jobs `[job]`, `$9` form. A row for each of these jobs to which requests wait.
    pub(super) write: &'static str,
    /// As `write`, then commits.
    pub(super) write_commit: &'static str,
    /// Makes a job. `$1` id, `$2` name, `$3` key, `$4` digest, `$5` requires, `$6` priority, `$7` created_at, `$8` form,
    /// `$9` bundle, `$10` inputs, `$11` secrets. A row `new, id` if it is new, then a row `there, id`.
    pub(super) create: &'static str,
    /// Marks a job STUCK. `$1` job, `$2` owner, `$3` epoch, `$4` cause, `$5` at, `$6` record, `$7` form.
    /// A row if it is done.
    pub(super) stall: &'static str,
    /// Reads a job at one instant, `$1`: a row `job, …`, rows `atom, atom, form, content`, rows
    /// `request, id, form, body`.
    pub(super) load: &'static str,
}

macro_rules! fence {
    () => {
        "UPDATE jobs SET seq = s.value ->> 4, claims = 0
         FROM json_each($1) AS s
         WHERE jobs.id = s.value ->> 0 AND jobs.owner = s.value ->> 1
           AND jobs.epoch = s.value ->> 2 AND jobs.seq = s.value ->> 3
         RETURNING id;"
    };
}

macro_rules! write {
    () => {
        "INSERT INTO atoms (job, atom, name, state, epoch, form, content)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, $9, value -> 5
         FROM json_each($1) WHERE true
         ON CONFLICT (job, atom) DO UPDATE SET name = excluded.name, state = excluded.state,
             epoch = excluded.epoch, form = excluded.form, content = excluded.content;
         INSERT INTO events (job, seq, epoch, form, record)
         SELECT value ->> 0, value ->> 1, value ->> 2, $9, value -> 3 FROM json_each($2);
         UPDATE jobs SET state = f.value ->> 1, ended = f.value ->> 2, reverting = f.value ->> 3,
             abandoned = f.value ->> 4, cause = f.value ->> 5, deadline = f.value ->> 6,
             started_at = f.value ->> 7, since = f.value ->> 8
         FROM json_each($3) AS f WHERE jobs.id = f.value ->> 0;
         DELETE FROM requests WHERE id IN (
             SELECT r.id FROM json_each($4) AS a CROSS JOIN requests AS r
             WHERE r.id = a.value ->> 1 AND r.job = a.value ->> 0);
         DELETE FROM requests WHERE job IN (
             SELECT value ->> 0 FROM json_each($3) WHERE value ->> 2 = 1);
         INSERT INTO logs (job, task, attempt, phase, n, stream, at, bytes)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
             value ->> 6, coalesce(substr($6, value ->> 7, value ->> 8), x'') FROM json_each($5);
         DELETE FROM logs WHERE id IN (
             SELECT l.id FROM json_each($7) AS t CROSS JOIN logs AS l
             WHERE l.job = t.value ->> 0 AND l.task = t.value ->> 1 AND l.attempt = t.value ->> 2
               AND l.phase = t.value ->> 3 AND l.n >= t.value ->> 4 AND l.n < t.value ->> 5);
         SELECT DISTINCT job FROM requests WHERE job IN (SELECT value FROM json_each($8));"
    };
}

/// SQLite. `BEGIN IMMEDIATE` is the lock: until the commit nobody else writes, so that within one script
/// the guards may come before the update that they guard.
pub(super) const SQLITE: Dialect = Dialect {
    commit_one: "
        INSERT INTO steps (job, owner, epoch, seq, after, atoms, records, form)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        RETURNING EXISTS (SELECT 1 FROM requests AS r WHERE r.job = steps.job)",
    begin_fence: concat!("BEGIN IMMEDIATE;", fence!()),
    fence: fence!(),
    write: write!(),
    write_commit: concat!(write!(), "COMMIT"),
    create: "
        BEGIN IMMEDIATE;
        INSERT INTO sources (job, form, bundle, inputs, secrets)
        SELECT $1, $8, $9, $10, $11
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = $1 OR dedup_key = $3);
        INSERT INTO jobs (id, name, dedup_key, digest, requires, priority, created_at, state, ended,
            reverting, abandoned, since, epoch, seq, claims)
        SELECT $1, $2, $3, $4, $5, $6, $7, 'PENDING', 0, 0, 0, $7, 0, 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = $1 OR dedup_key = $3)
        RETURNING 'new', id;
        SELECT 'there', id FROM jobs WHERE dedup_key = $3 OR id = $1
        ORDER BY CASE WHEN dedup_key = $3 THEN 0 ELSE 1 END LIMIT 1;
        COMMIT",
    stall: "
        BEGIN IMMEDIATE;
        INSERT INTO events (job, seq, epoch, form, record)
        SELECT id, seq + 1, epoch, $7, $6 FROM jobs
        WHERE id = $1 AND owner = $2 AND epoch = $3 AND ended = 0;
        UPDATE jobs SET state = 'STUCK', cause = $4, since = $5, seq = seq + 1, claims = 0
        WHERE id = $1 AND owner = $2 AND epoch = $3 AND ended = 0
        RETURNING id;
        COMMIT",
    load: "
        BEGIN;
        SELECT 'job', j.id, j.name, j.state, j.reverting, j.abandoned, j.cause, j.deadline,
            j.started_at, j.since, j.owner, j.epoch, j.requires, j.priority, j.created_at,
            j.digest, j.seq, s.form, s.bundle, s.inputs, s.secrets
        FROM jobs AS j JOIN sources AS s ON s.job = j.id WHERE j.id = $1;
        SELECT 'atom', atom, form, content FROM atoms WHERE job = $1 ORDER BY atom;
        SELECT 'request', id, form, body FROM requests WHERE job = $1 ORDER BY id;
        COMMIT",
};
