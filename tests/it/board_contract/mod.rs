//! What every board promises, held against each of them.
//!
//! `a` and `b` are two handles on one board, as two processes have them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::sync::Arc;
use std::time::Duration;

use jobrunner::boards::MemoryBoard;
use jobrunner::boards::sql::SqlBoard;
use jobrunner::model::{ConductorId, JobId, Priority};
use jobrunner::ports::{Claim, Clock, JobBoard, Notice};
use uuid::Uuid;

use super::clock::TestClock;

mod claims;
mod conductors;
mod leases;
mod waiting;

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Kind::Memory).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::super::Kind::Sqlite).await;
            })+
        }
    };
}
use contract;

/// Two handles on one board, and what has to live as long as they do.
pub(super) struct Boards {
    a: Arc<dyn JobBoard>,
    b: Arc<dyn JobBoard>,
    _folder: Option<tempfile::TempDir>,
}

/// Which board to make.
#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Sqlite,
}

impl Kind {
    async fn open(self, clock: Arc<dyn Clock>) -> Boards {
        match self {
            Self::Memory => {
                let board = MemoryBoard::new(clock);
                Boards {
                    a: Arc::new(board.clone()),
                    b: Arc::new(board),
                    _folder: None,
                }
            }
            Self::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/jobs.db", folder.path().display());
                Boards {
                    a: Arc::new(SqlBoard::open(&url, Arc::clone(&clock)).await.unwrap()),
                    b: Arc::new(SqlBoard::open(&url, clock).await.unwrap()),
                    _folder: Some(folder),
                }
            }
        }
    }

    async fn with_test_clock(self) -> (Boards, Arc<TestClock>) {
        let clock = Arc::new(TestClock::new());
        let boards = self.open(Arc::clone(&clock) as Arc<dyn Clock>).await;
        (boards, clock)
    }
}

pub(super) const TTL: Duration = Duration::from_secs(15);

pub(super) fn who(name: &str) -> ConductorId {
    ConductorId(format!("{name}:1:abc"))
}

pub(super) fn anything() -> Vec<String> {
    vec!["[]".to_owned()]
}

pub(super) fn notice(n: u64) -> Notice {
    let time = uuid::Timestamp::from_unix_time(1_795_500_000 + n, 0, 0, 0);
    Notice {
        job: JobId(Uuid::new_v7(time)),
        priority: Priority::Normal,
        requires: "[]".into(),
    }
}

pub(super) async fn posted(board: &Arc<dyn JobBoard>, n: u64) -> JobId {
    let notice = notice(n);
    board.post(&notice, None).await.unwrap();
    notice.job
}

pub(super) async fn claim(board: &Arc<dyn JobBoard>, by: &str) -> Option<Claim> {
    board.claim(&who(by), &anything(), TTL).await.unwrap()
}

pub(super) fn fresh(job: JobId) -> Option<Claim> {
    Some(Claim {
        job,
        expired: false,
    })
}

pub(super) fn expired(job: JobId) -> Option<Claim> {
    Some(Claim { job, expired: true })
}
