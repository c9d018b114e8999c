//! Hearing of changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobrunner::ports::{JobBoard, SystemClock};

use super::{Kind, claim, contract, fresh, notice, posted, who};

contract!(
    waiting_ends_with_the_timeout,
    waiting_ends_at_once_when_something_changes,
    what_changed_before_the_wait_is_not_missed,
    everyone_who_waits_is_woken,
    a_wait_that_is_dropped_leaves_nothing_behind,
);

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
    let (boards, _) = kind.with_time().await;
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
