//! The SQL that is not the same everywhere: how a batch enters a statement, how a transaction is begun, how a change
//! tells what it did.
//!
//! A batch enters as one JSON array, whatever its size, so that each statement is prepared once.

/// The columns of a job that is loaded, in the order in which `read::loaded` expects them, and where they are.
macro_rules! job_columns {
    () => {
        "'job', j.id, j.name, j.state, j.reverting, j.abandoned, j.cause, j.deadline,
            j.started_at, j.since, j.owner, j.epoch, j.requires, j.priority, j.created_at,
            j.digest, j.seq, s.form, s.bundle, s.inputs, s.secrets, j.claims
        FROM jobs AS j JOIN sources AS s ON s.job = j.id"
    };
}

/// The rows of a job that is loaded.
macro_rules! job_rows {
    () => {
        concat!(
            "SELECT ",
            job_columns!(),
            " WHERE j.id = $1;
        SELECT 'atom', atom, form, content FROM atoms WHERE job = $1 ORDER BY atom;
        SELECT 'request', id, form, body FROM requests WHERE job = $1 ORDER BY id;
        COMMIT"
        )
    };
}

mod mysql;
mod postgres;
mod sqlite;

use crate::sql::Kind;

/// How structured text stands in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Structured {
    /// As it is: the database keeps it to the letter.
    Nested,
    /// As text: the database would put it in another order, or refuse it for its depth.
    Text,
}

/// The scripts of one kind of database.
#[derive(Debug)]
pub(super) struct Dialect {
    /// How atoms and records stand in batches.
    pub(super) structured: Structured,
    /// One step without anything beside it, where a few steps do not go in a packet of their own. `$1` job, `$2` owner, `$3` epoch, `$4` seq before and `$5` after it, `$6`
    /// atoms `[[atom, name, state, content]]`, `$7` records, `$8` form.
    /// No row: fenced. One row: whether requests wait.
    pub(super) commit_one: Option<&'static str>,
    /// Begins a transaction, then as `fence`.
    pub(super) begin_fence: &'static str,
    /// Moves `seq` of the jobs that are not fenced. `$1` steps `[[job, owner, epoch, before, after]]`, each job once.
    /// A row for each job that was moved: its id, and whether requests wait.
    pub(super) fence: &'static str,
    /// Writes what belongs to the jobs that were moved, and the log. `$1` atoms `[[job, atom, name, state, epoch,
    /// content]]`, `$2` events `[[job, seq, epoch, record]]`, `$3` flows `[[job, state, ended, reverting, abandoned,
    /// cause, deadline, started_at, since]]`, `$4` answered `[[job, request]]`, `$5` jobs that ended `[job]`, `$6` log
    /// chunks `[[job, task, attempt, phase, n, stream, at, first, length]]` and `$7` their bytes, `$8` log trims `[[job,
    /// task, attempt, phase, first, end]]`, `$9` jobs `[job]`, `$10` form. A row for each of the jobs in `$9` to which
    /// requests wait.
    pub(super) write: &'static str,
    /// As `write`, then commits.
    pub(super) write_commit: &'static str,
    /// Makes a job. `$1` id, `$2` name, `$3` key, `$4` digest, `$5` requires, `$6` priority, `$7` created_at, `$8` form,
    /// `$9` bundle, `$10` inputs, `$11` secrets. The id or the key may be taken.
    pub(super) create: &'static str,
    /// Which job has taken the id `$1` or the key `$2`: a row `_, id`.
    pub(super) existing: &'static str,
    /// `$1` job, `$2` owner. A row with the new epoch.
    pub(super) own: &'static str,
    /// `$1` job, `$2` owner, `$3` epoch. A row if it is done.
    pub(super) disown: &'static str,
    /// `$1` job, `$2` kind, `$3` at, `$4` form, `$5` body. A row if it is done.
    pub(super) request: &'static str,
    /// Marks a job STUCK. `$1` job, `$2` owner, `$3` epoch, `$4` cause, `$5` at, `$6` record, `$7` form.
    /// A row if it is done.
    pub(super) stall: &'static str,
    /// Reads a job at one instant, `$1`: a row `job, …`, rows `atom, atom, form, content`, rows
    /// `request, id, form, body`.
    pub(super) load: &'static str,
    /// Removes those of the jobs `$1`, `[job]`, that have ended, with all that belongs to them.
    pub(super) remove: &'static str,
}

/// The scripts of a database.
pub(super) fn of(kind: Kind) -> &'static Dialect {
    match kind {
        Kind::Sqlite => &sqlite::SQLITE,
        Kind::MySql => &mysql::MYSQL,
        Kind::Postgres => &postgres::POSTGRES,
    }
}
