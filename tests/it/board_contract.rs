//! What every board promises, held against each of them.
//!
//! `a` and `b` are two handles on one board, as two processes have them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobrunner::boards::MemoryBoard;
use jobrunner::boards::sql::SqlBoard;
use jobrunner::model::{ConductorId, JobId, Priority};
use jobrunner::ports::{Claim, Clock, JobBoard, Notice, Posting, SystemClock};
use uuid::Uuid;

use super::clock::TestClock;

/// Two handles on one board, and what has to live as long as they do.
struct Boards {
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

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::Kind::Memory).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::Kind::Sqlite).await;
            })+
        }
    };
}

contract!(
    a_posted_job_is_claimed_once,
    posting_again_changes_nothing,
    the_higher_priority_is_claimed_first_then_the_earlier,
    a_conductor_claims_only_what_it_is_able_to_do,
    requirements_are_those_of_ready_jobs,
    no_job_is_claimed_twice_however_many_race,
    a_lease_that_runs_out_is_taken_over,
    a_renewed_lease_is_kept,
    a_lease_that_somebody_has_taken_is_not_renewed,
    a_lease_that_nobody_has_taken_is_renewed_late,
    a_released_job_is_ready_in_its_old_place,
    a_completed_job_is_gone,
    only_the_holder_releases_and_completes,
    a_reserved_post_is_leased_from_the_start,
    a_snapshot_shows_the_first_to_be_claimed_first,
    waiting_ends_with_the_timeout,
    waiting_ends_at_once_when_something_changes,
    what_changed_before_the_wait_is_not_missed,
    everyone_who_waits_is_woken,
    a_wait_that_is_dropped_leaves_nothing_behind,
);

const TTL: Duration = Duration::from_secs(15);

fn who(name: &str) -> ConductorId {
    ConductorId(format!("{name}:1:abc"))
}

fn anything() -> Vec<String> {
    vec!["[]".to_owned()]
}

fn notice(n: u64) -> Notice {
    let time = uuid::Timestamp::from_unix_time(1_795_500_000 + n, 0, 0, 0);
    Notice {
        job: JobId(Uuid::new_v7(time)),
        priority: Priority::Normal,
        requires: "[]".into(),
    }
}

async fn posted(board: &Arc<dyn JobBoard>, n: u64) -> JobId {
    let notice = notice(n);
    board.post(&notice, None).await.unwrap();
    notice.job
}

async fn claim(board: &Arc<dyn JobBoard>, by: &str) -> Option<Claim> {
    board.claim(&who(by), &anything(), TTL).await.unwrap()
}

fn fresh(job: JobId) -> Option<Claim> {
    Some(Claim {
        job,
        expired: false,
    })
}

fn expired(job: JobId) -> Option<Claim> {
    Some(Claim { job, expired: true })
}

async fn a_posted_job_is_claimed_once(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    assert_eq!(claim(&boards.a, "x").await, None);
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.b, "x").await, fresh(job));
    assert_eq!(claim(&boards.a, "x").await, None);
    assert_eq!(claim(&boards.a, "y").await, None);
}

async fn posting_again_changes_nothing(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    let first = notice(1);
    boards.a.post(&first, None).await.unwrap();
    let again = Notice {
        priority: Priority::VeryHigh,
        requires: "[\"gpu\"]".into(),
        ..first.clone()
    };
    boards.b.post(&again, Some((&who("x"), TTL))).await.unwrap();
    let unleased = Posting {
        notice: first.clone(),
        lease: None,
    };
    assert_eq!(boards.a.snapshot(10).await.unwrap(), [unleased]);
    assert_eq!(claim(&boards.a, "y").await, fresh(first.job));
    boards.b.post(&first, None).await.unwrap();
    assert_eq!(claim(&boards.b, "x").await, None, "it stays claimed");
}

async fn the_higher_priority_is_claimed_first_then_the_earlier(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    let mut expected = Vec::new();
    // Ids that fall, so that they cannot be what the order comes from.
    for (n, priority) in (0..10).zip(Priority::ALL.into_iter().rev().cycle()) {
        let notice = Notice {
            priority,
            ..notice(100 - n)
        };
        boards.a.post(&notice, None).await.unwrap();
        expected.push((priority, n, notice.job));
    }
    expected.sort_unstable();
    for (_, _, job) in expected {
        assert_eq!(claim(&boards.b, "x").await, fresh(job));
    }
    assert_eq!(claim(&boards.b, "x").await, None);
}

async fn a_conductor_claims_only_what_it_is_able_to_do(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    let posting = |n, requires: &str, priority| Notice {
        requires: requires.to_owned(),
        priority,
        ..notice(n)
    };
    let gpu = posting(1, "[\"gpu\"]", Priority::Normal);
    let arm = posting(2, "[\"arm\"]", Priority::High);
    let plain = posting(3, "[]", Priority::Low);
    for notice in [&gpu, &arm, &plain] {
        boards.a.post(notice, None).await.unwrap();
    }
    let claim = async |able: &[&str]| {
        let able: Vec<_> = able.iter().map(|&text| text.to_owned()).collect();
        boards.b.claim(&who("x"), &able, TTL).await.unwrap()
    };
    assert_eq!(claim(&[]).await, None);
    assert_eq!(claim(&["[\"tpu\"]"]).await, None);
    assert_eq!(claim(&["[]", "[\"gpu\"]"]).await, fresh(gpu.job));
    assert_eq!(claim(&["[]", "[\"gpu\"]"]).await, fresh(plain.job));
    assert_eq!(claim(&["[]", "[\"gpu\"]"]).await, None);
    assert_eq!(claim(&["[\"arm\"]", "[\"arm\"]"]).await, fresh(arm.job));
}

async fn requirements_are_those_of_ready_jobs(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let requirements = async || {
        let found = boards.b.requirements().await.unwrap();
        let distinct: BTreeSet<_> = found.iter().cloned().collect();
        assert_eq!(distinct.len(), found.len(), "each once");
        distinct.into_iter().collect::<Vec<_>>()
    };
    assert!(requirements().await.is_empty());
    for (n, requires) in (0..).zip(["[]", "[\"b\"]", "[]", "[\"a\"]", "[\"b\"]"]) {
        let notice = Notice {
            requires: requires.to_owned(),
            ..notice(n)
        };
        boards.a.post(&notice, None).await.unwrap();
    }
    assert_eq!(requirements().await, ["[\"a\"]", "[\"b\"]", "[]"]);
    let able = ["[\"a\"]".to_owned()];
    boards
        .a
        .claim(&who("x"), &able, TTL)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(requirements().await, ["[\"b\"]", "[]"]);
    clock.advance(TTL);
    assert_eq!(requirements().await, ["[\"a\"]", "[\"b\"]", "[]"]);
}

async fn no_job_is_claimed_twice_however_many_race(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    let mut jobs = BTreeSet::new();
    for n in 0..40 {
        jobs.insert(posted(&boards.a, n).await);
    }
    let claimers = (0..8).map(|n| {
        let board = Arc::clone(if n % 2 == 0 { &boards.a } else { &boards.b });
        tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some(found) = claim(&board, &format!("x{n}")).await {
                mine.push(found.job);
            }
            mine
        })
    });
    let mut claimed = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        claimed.extend(claimer.await.unwrap());
    }
    assert_eq!(claimed.len(), 40);
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), jobs);
}

async fn a_lease_that_runs_out_is_taken_over(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    clock.advance(TTL - Duration::from_millis(1));
    assert_eq!(claim(&boards.b, "y").await, None);
    clock.advance(Duration::from_millis(1));
    assert_eq!(claim(&boards.b, "y").await, expired(job));
    assert_eq!(claim(&boards.b, "z").await, None);
    assert!(!boards.a.release(&who("x"), job).await.unwrap());
    assert!(!boards.a.complete(&who("x"), job).await.unwrap());
    assert!(boards.b.release(&who("y"), job).await.unwrap());
    assert_eq!(claim(&boards.a, "z").await, fresh(job), "it was released");
    clock.advance(TTL);
    assert_eq!(claim(&boards.a, "z").await, expired(job), "also by oneself");
}

async fn a_renewed_lease_is_kept(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let mut mine = Vec::new();
    for n in 0..3 {
        mine.push(posted(&boards.a, n).await);
        assert_eq!(claim(&boards.a, "x").await, fresh(mine[n as usize]));
    }
    let other = posted(&boards.a, 3).await;
    assert_eq!(claim(&boards.b, "y").await, fresh(other));
    for _ in 0..3 {
        clock.advance(TTL / 2);
        let mut held = boards.b.renew(&who("x"), TTL).await.unwrap();
        held.sort_unstable();
        assert_eq!(held, mine);
    }
    assert_eq!(claim(&boards.b, "z").await, expired(other));
    assert_eq!(claim(&boards.b, "z").await, None);
    assert!(
        boards
            .a
            .renew(&who("nobody"), TTL)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(boards.a.complete(&who("x"), mine[0]).await.unwrap());
    assert!(boards.a.release(&who("x"), mine[1]).await.unwrap());
    assert_eq!(boards.a.renew(&who("x"), TTL).await.unwrap(), [mine[2]]);
}

async fn a_lease_that_somebody_has_taken_is_not_renewed(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    clock.advance(TTL);
    assert_eq!(claim(&boards.b, "y").await, expired(job));
    assert!(boards.a.renew(&who("x"), TTL).await.unwrap().is_empty());
    clock.advance(TTL / 2);
    assert_eq!(boards.b.renew(&who("y"), TTL).await.unwrap(), [job]);
    assert!(boards.b.release(&who("y"), job).await.unwrap());
    assert!(boards.a.renew(&who("x"), TTL).await.unwrap().is_empty());
    assert_eq!(claim(&boards.b, "z").await, fresh(job));
}

async fn a_lease_that_nobody_has_taken_is_renewed_late(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    clock.advance(TTL * 2);
    // Somebody looks who cannot take it.
    let able = ["[\"gpu\"]".to_owned()];
    assert_eq!(boards.b.claim(&who("y"), &able, TTL).await.unwrap(), None);
    assert_eq!(boards.a.renew(&who("x"), TTL).await.unwrap(), [job]);
    assert_eq!(claim(&boards.b, "y").await, None);
    clock.advance(TTL);
    assert_eq!(claim(&boards.b, "y").await, expired(job));
}

async fn a_released_job_is_ready_in_its_old_place(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    let jobs = [posted(&boards.a, 1).await, posted(&boards.a, 2).await];
    assert_eq!(claim(&boards.a, "x").await, fresh(jobs[0]));
    assert!(boards.b.release(&who("x"), jobs[0]).await.unwrap());
    assert!(!boards.b.release(&who("x"), jobs[0]).await.unwrap());
    assert_eq!(claim(&boards.b, "y").await, fresh(jobs[0]));
    assert_eq!(claim(&boards.b, "y").await, fresh(jobs[1]));
}

async fn a_completed_job_is_gone(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    assert!(boards.a.complete(&who("x"), job).await.unwrap());
    assert!(!boards.a.complete(&who("x"), job).await.unwrap());
    clock.advance(TTL * 2);
    assert_eq!(claim(&boards.b, "y").await, None);
    assert!(boards.b.snapshot(10).await.unwrap().is_empty());
    assert!(boards.b.requirements().await.unwrap().is_empty());
}

async fn only_the_holder_releases_and_completes(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    let job = posted(&boards.a, 1).await;
    for nobody in [&boards.a, &boards.b] {
        assert!(!nobody.release(&who("x"), job).await.unwrap());
        assert!(!nobody.complete(&who("x"), job).await.unwrap());
    }
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    assert!(!boards.b.release(&who("y"), job).await.unwrap());
    assert!(!boards.b.complete(&who("y"), job).await.unwrap());
    assert!(!boards.b.complete(&who("x"), notice(9).job).await.unwrap());
    assert!(boards.a.complete(&who("x"), job).await.unwrap());
}

async fn a_reserved_post_is_leased_from_the_start(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let (first, second) = (notice(1), notice(2));
    for notice in [&first, &second] {
        boards.a.post(notice, Some((&who("x"), TTL))).await.unwrap();
    }
    assert!(boards.b.requirements().await.unwrap().is_empty());
    assert_eq!(claim(&boards.b, "y").await, None);
    assert_eq!(boards.a.renew(&who("x"), TTL).await.unwrap().len(), 2);
    assert!(boards.a.release(&who("x"), first.job).await.unwrap());
    assert_eq!(claim(&boards.b, "y").await, fresh(first.job));
    clock.advance(TTL);
    assert_eq!(claim(&boards.b, "z").await, expired(first.job));
    assert_eq!(claim(&boards.b, "z").await, expired(second.job));
}

async fn a_snapshot_shows_the_first_to_be_claimed_first(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let mut notices = Vec::new();
    for (n, priority) in [Priority::Low, Priority::High, Priority::Low]
        .into_iter()
        .enumerate()
    {
        let notice = Notice {
            priority,
            requires: format!("[\"{n}\"]"),
            ..notice(n as u64)
        };
        boards.a.post(&notice, None).await.unwrap();
        notices.push(notice);
    }
    let able = ["[\"0\"]".to_owned()];
    boards
        .a
        .claim(&who("x"), &able, TTL)
        .await
        .unwrap()
        .unwrap();
    let until = clock.now().plus(TTL);
    let posting = |n: usize, lease| Posting {
        notice: notices[n].clone(),
        lease,
    };
    let expected = [
        posting(1, None),
        posting(0, Some((who("x"), until))),
        posting(2, None),
    ];
    assert_eq!(boards.b.snapshot(10).await.unwrap(), expected);
    assert_eq!(boards.b.snapshot(2).await.unwrap(), expected[..2]);
    assert!(boards.b.snapshot(0).await.unwrap().is_empty());
}

/// Long enough that a test which waits for it has failed.
const NEVER: Duration = Duration::from_secs(60);

/// What counts as at once, on a machine that does other things too.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn waiting_ends_with_the_timeout(kind: Kind) {
    let boards = kind.open(Arc::new(SystemClock)).await;
    let started = Instant::now();
    boards.a.wait(Duration::from_millis(50)).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(49));
    assert!(started.elapsed() < AT_ONCE);
}

/// Begins to wait at `board`, does `change`, and tells how long the wait went on after it.
async fn woken_by(board: &Arc<dyn JobBoard>, change: impl Future<Output = ()>) -> Duration {
    board.wait(Duration::ZERO).await.unwrap();
    let wait = async {
        board.wait(NEVER).await.unwrap();
        Instant::now()
    };
    let change = async {
        tokio::task::yield_now().await;
        change.await;
        Instant::now()
    };
    let (woken, changed) = tokio::join!(wait, change);
    woken.saturating_duration_since(changed)
}

async fn waiting_ends_at_once_when_something_changes(kind: Kind) {
    let boards = kind.open(Arc::new(SystemClock)).await;
    for (here, there) in [(&boards.a, &boards.a), (&boards.a, &boards.b)] {
        let first = notice(1);
        let post = async { there.post(&first, None).await.unwrap() };
        assert!(woken_by(here, post).await < AT_ONCE, "by a post");
        assert_eq!(claim(there, "x").await, fresh(first.job));
        let release = async { assert!(there.release(&who("x"), first.job).await.unwrap()) };
        assert!(woken_by(here, release).await < AT_ONCE, "by a release");
        let mut soonest = NEVER;
        for _ in 0..5 {
            let wake = async { there.wake().await.unwrap() };
            soonest = soonest.min(woken_by(here, wake).await);
        }
        assert!(soonest < Duration::from_millis(50), "by a wake");
        assert_eq!(claim(there, "x").await, fresh(first.job));
        assert!(there.complete(&who("x"), first.job).await.unwrap());
    }
}

async fn what_changed_before_the_wait_is_not_missed(kind: Kind) {
    let boards = kind.open(Arc::new(SystemClock)).await;
    for there in [&boards.a, &boards.b] {
        boards.a.wait(Duration::ZERO).await.unwrap();
        there.wake().await.unwrap();
        let started = Instant::now();
        boards.a.wait(NEVER).await.unwrap();
        assert!(started.elapsed() < AT_ONCE);
        // It is told once.
        let started = Instant::now();
        boards.a.wait(Duration::from_millis(50)).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(49));
    }
}

async fn everyone_who_waits_is_woken(kind: Kind) {
    let boards = kind.open(Arc::new(SystemClock)).await;
    let started = Instant::now();
    let (x, y, z, ()) = tokio::join!(
        boards.a.wait(NEVER),
        boards.a.wait(NEVER),
        boards.b.wait(NEVER),
        async {
            tokio::task::yield_now().await;
            boards.b.wake().await.unwrap();
        }
    );
    x.unwrap();
    y.unwrap();
    z.unwrap();
    assert!(started.elapsed() < AT_ONCE);
}

async fn a_wait_that_is_dropped_leaves_nothing_behind(kind: Kind) {
    let (boards, _) = kind.with_test_clock().await;
    for _ in 0..5 {
        tokio::select! {
            biased;
            _ = boards.a.wait(NEVER) => panic!("nothing has changed"),
            () = tokio::task::yield_now() => {}
        }
    }
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
}
