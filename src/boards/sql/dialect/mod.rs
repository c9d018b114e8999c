//! The SQL of a board, which is the same nowhere: how the first of several queues is found and taken.

mod mysql;
mod postgres;
mod sqlite;

use crate::sql::Kind;

/// The scripts of one kind of database. Who changes what there is to do beats the pulse in the same script.
pub(super) struct Dialect {
    /// `$1` job, `$2` requires, `$3` priority, `$4` leased, `$5` holder, `$6` until. It takes the place of what was set
    /// aside.
    pub(super) post: &'static str,
    /// `$1` now. The distinct `requires` of what is ready.
    pub(super) requirements: &'static str,
    /// `$1` requires, `$2` now. The jobs that are ready and require this.
    pub(super) of_queue: &'static str,
    /// `$1` able, a JSON array of `requires`, `$2` now. A row if there is something to claim, or a lease that has run
    /// out.
    pub(super) claimable: &'static str,
    /// `$1` able, `$2` now, `$3` who, `$4` until. Old leases first, then the claim. The last row: job, expired. None if
    /// somebody else was faster.
    pub(super) claim: &'static str,
    /// `$1` who, `$2` until, `$3` jobs, a JSON array. Those of them that are held.
    pub(super) renew: &'static str,
    /// `$1` who, `$2` job. A row if it is done.
    pub(super) release: &'static str,
    /// `$1` who, `$2` job. A row if it is done.
    pub(super) complete: &'static str,
    /// `$1` limit. The first to be claimed first, without what was set aside: job, requires, priority, holder, until.
    pub(super) snapshot: &'static str,
    /// `$1` id, `$2` now, `$3` until, `$4` what it tells. Forgets those of whom nothing was heard.
    pub(super) register: &'static str,
}

/// The scripts of a database.
pub(super) fn of(kind: Kind) -> &'static Dialect {
    match kind {
        Kind::Sqlite => &sqlite::SQLITE,
        Kind::MySql => &mysql::MYSQL,
        Kind::Postgres => &postgres::POSTGRES,
    }
}
