//! The SQL that is the same everywhere.

/// The columns of a summary, in the order in which `read::summary` expects them.
macro_rules! summary_columns {
    () => {
        "j.id, j.name, j.state, j.reverting, j.abandoned, j.cause, j.deadline, j.started_at, j.since,
         j.owner, j.epoch, j.requires, j.priority, j.created_at,
         CASE WHEN EXISTS (SELECT 1 FROM requests AS r WHERE r.job = j.id AND r.kind = 'cancel')
             THEN 'cancel'
             ELSE (SELECT r.kind FROM requests AS r
                   WHERE r.job = j.id AND r.kind IN ('suspend', 'resume') ORDER BY r.id DESC LIMIT 1)
         END"
    };
}

/// `$1` job, `$2` owner, `$3` epoch.
pub(super) const OWNS: &str = "SELECT 1 FROM jobs WHERE id = $1 AND owner = $2 AND epoch = $3";

/// `$1` owner.
pub(super) const REQUESTS: &str = "
    SELECT r.job, r.id, r.form, r.body FROM requests AS r CROSS JOIN jobs AS j
    WHERE j.id = r.job AND j.owner = $1 ORDER BY r.id";

/// `$1` limit.
pub(super) const ALL: &str = concat!(
    "SELECT ",
    summary_columns!(),
    " FROM jobs AS j ORDER BY j.id DESC LIMIT $1"
);

/// `$1` limit.
pub(super) const LIVE: &str = concat!(
    "SELECT ",
    summary_columns!(),
    " FROM jobs AS j WHERE j.ended = 0 ORDER BY j.id DESC LIMIT $1"
);

/// `$1` the first id, `$2` what comes after the last, `$3` limit.
pub(super) const FIND: &str = concat!(
    "SELECT ",
    summary_columns!(),
    " FROM jobs AS j WHERE j.id >= $1 AND j.id < $2 ORDER BY j.id LIMIT $3"
);

/// `$1` the id before the first, `$2` limit.
pub(super) const READY: &str = concat!(
    "SELECT ",
    summary_columns!(),
    " FROM jobs AS j
    WHERE j.ended = 0 AND j.id > $1
      AND (j.state NOT IN ('SUSPENDED', 'STUCK')
           OR EXISTS (SELECT 1 FROM requests AS r WHERE r.job = j.id))
    ORDER BY j.id LIMIT $2"
);

/// `$1` the id before the first, `$2` what comes after the last, `$3` the instant before which they ended, `$4` limit.
pub(super) const ENDED: &str = concat!(
    "SELECT ",
    summary_columns!(),
    " FROM jobs AS j
    WHERE j.ended = 1 AND j.id > $1 AND j.id < $2 AND j.since < $3 ORDER BY j.id LIMIT $4"
);

/// `$1` job, `$2` the seq before the first, `$3` limit.
pub(super) const EVENTS: &str = "
    SELECT seq, epoch, form, record FROM events
    WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3";

/// `$1` job, `$2` the id before the first, `$3` task or null, `$4` limit.
pub(super) const LOGS: &str = "
    SELECT id, task, attempt, phase, n, stream, at, bytes FROM logs
    WHERE job = $1 AND id > $2 AND ($3 IS NULL OR task = $3) ORDER BY id LIMIT $4";

#[cfg(test)]
mod tests {
    use super::super::{SqlStore, dialect};
    use super::*;
    use crate::sql::Kind;

    #[tokio::test]
    async fn no_script_walks_through_a_table() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/jobs.db", folder.path().display());
        let store = SqlStore::open(&url).await.unwrap();
        let sqlite = dialect::of(Kind::Sqlite);
        for script in [
            sqlite.commit_one.expect("SQLite has it"),
            sqlite.begin_fence,
            sqlite.fence,
            sqlite.write,
            sqlite.write_commit,
            sqlite.existing,
            sqlite.own,
            sqlite.disown,
            sqlite.request,
            sqlite.stall,
            sqlite.load,
            sqlite.remove,
            OWNS,
            LIVE,
            FIND,
            READY,
            ENDED,
            EVENTS,
            LOGS,
        ] {
            let plan = store.database.plan(script).await;
            assert!(
                plan.iter().any(|line| line.starts_with("SEARCH")),
                "{script}"
            );
            // What is scanned is the batch alone. Who has taken a key is sorted among two.
            let walks_or_sorts = plan.iter().any(|line| {
                let scan = line.starts_with("SCAN") && line != "SCAN CONSTANT ROW";
                let sort = line.contains("ORDER BY") && script != sqlite.existing;
                sort || (scan && !line.contains("VIRTUAL TABLE"))
            });
            assert!(!walks_or_sorts, "{script}\n{plan:#?}");
        }
        // These walk: one through all jobs as far as its limit, one through what nobody has answered yet.
        let plan = store.database.plan(ALL).await;
        assert_eq!(plan[0], "SCAN j");
        let plan = store.database.plan(REQUESTS).await;
        assert_eq!(plan, ["SCAN r", "SEARCH j USING PRIMARY KEY (id=?)"]);
    }
}
