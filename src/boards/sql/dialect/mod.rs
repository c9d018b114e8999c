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
    /// `$1` able, `$2` now, `$3` who, `$4` until. Old leases first, then the claim. The last row: job, expired, whether it
    /// stood in the queue of what it requires. None if somebody else was faster.
    pub(super) claim: &'static str,
    /// `$1` who, `$2` until, `$3` jobs, a JSON array. Those of them that are held.
    pub(super) renew: &'static str,
    /// `$1` who, `$2` job. A row if it is done.
    pub(super) release: &'static str,
    /// `$1` who, `$2` job. A row if it is done.
    pub(super) complete: &'static str,
    /// `$1` jobs, a JSON array. Those of them that are on the board, without what was set aside: job, whether it is
    /// leased for ever.
    pub(super) known: &'static str,
    /// For queues that have names of their own: how those are found that no look at the board finds.
    pub(super) queues: Option<Queues>,
    /// `$1` limit. The first to be claimed first, without what was set aside: job, requires, priority, holder, until.
    pub(super) snapshot: &'static str,
    /// `$1` id, `$2` now, `$3` until, `$4` what it tells. Forgets those of whom nothing was heard.
    pub(super) register: &'static str,
}

/// Queues are looked at by name, and their names are kept. Whoever puts a posting there by hand may have kept none.
pub(super) struct Queues {
    /// The first posting that is ready, in the order of queues: its queue, job, whether it stands in the queue of what it
    /// requires, whether that name is kept.
    pub(super) first: &'static str,
    /// `$1` queue. The same for the queues behind that one.
    pub(super) next: &'static str,
    /// `$1` job. Keeps the name of its queue.
    pub(super) keep: &'static str,
    /// `$1` job, `$2` queue. Sets the posting aside if it stands in that queue.
    pub(super) set_aside: &'static str,
}

/// The scripts of a database.
pub(super) fn of(kind: Kind) -> &'static Dialect {
    match kind {
        Kind::Sqlite => &sqlite::SQLITE,
        Kind::MySql => &mysql::MYSQL,
        Kind::Postgres => &postgres::POSTGRES,
    }
}
