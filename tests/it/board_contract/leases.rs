//! How long a claim lasts.

use std::sync::Arc;

use jobrunner::model::JobId;
use jobrunner::ports::JobBoard;

use super::{Kind, LITTLE, TTL, claim, contract, expired, fresh, notice, posted, who};

contract!(
    a_lease_that_runs_out_is_taken_over,
    a_renewed_lease_is_kept,
    a_lease_that_somebody_has_taken_is_not_renewed,
    a_lease_that_nobody_has_taken_is_renewed_late,
    a_lease_that_is_not_named_runs_out,
    a_thousand_leases_are_renewed_at_once,
    the_end_of_the_next_lease_is_known,
);

async fn renewed(board: &Arc<dyn JobBoard>, by: &str, jobs: &[JobId]) -> Vec<JobId> {
    board.renew(&who(by), jobs, TTL).await.unwrap()
}

async fn a_lease_that_runs_out_is_taken_over(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    time.advance(TTL - LITTLE).await;
    assert_eq!(claim(&boards.b, "y").await, None);
    time.advance(LITTLE).await;
    assert_eq!(claim(&boards.b, "y").await, expired(job));
    assert_eq!(claim(&boards.b, "z").await, None);
    assert!(!boards.a.release(&who("x"), job).await.unwrap());
    assert!(!boards.a.complete(&who("x"), job).await.unwrap());
    assert!(boards.b.release(&who("y"), job).await.unwrap());
    assert_eq!(claim(&boards.a, "z").await, fresh(job), "it was released");
    time.advance(TTL).await;
    assert_eq!(claim(&boards.a, "z").await, expired(job), "also by oneself");
}

async fn a_renewed_lease_is_kept(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let mut mine = Vec::new();
    for n in 0..3 {
        mine.push(posted(&boards.a, n).await);
        assert_eq!(claim(&boards.a, "x").await, fresh(mine[n as usize]));
    }
    let other = posted(&boards.a, 3).await;
    assert_eq!(claim(&boards.b, "y").await, fresh(other));
    for _ in 0..3 {
        time.advance(TTL / 2).await;
        let others_too: Vec<_> = mine.iter().chain([&other]).copied().collect();
        let mut held = renewed(&boards.b, "x", &others_too).await;
        held.sort_unstable();
        assert_eq!(held, mine);
    }
    assert_eq!(claim(&boards.b, "z").await, expired(other));
    assert_eq!(claim(&boards.b, "z").await, None);
    assert!(renewed(&boards.a, "nobody", &mine).await.is_empty());
    assert!(boards.a.complete(&who("x"), mine[0]).await.unwrap());
    assert!(boards.a.release(&who("x"), mine[1]).await.unwrap());
    assert_eq!(renewed(&boards.a, "x", &mine).await, [mine[2]]);
}

async fn a_lease_that_somebody_has_taken_is_not_renewed(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    time.advance(TTL).await;
    assert_eq!(claim(&boards.b, "y").await, expired(job));
    assert!(renewed(&boards.a, "x", &[job]).await.is_empty());
    time.advance(TTL / 2).await;
    assert_eq!(renewed(&boards.b, "y", &[job]).await, [job]);
    assert!(boards.b.release(&who("y"), job).await.unwrap());
    assert!(renewed(&boards.a, "x", &[job]).await.is_empty());
    assert_eq!(claim(&boards.b, "z").await, fresh(job));
}

async fn a_lease_that_nobody_has_taken_is_renewed_late(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    time.advance(TTL * 2).await;
    // Somebody looks who cannot take it.
    let able = ["[\"gpu\"]".to_owned()];
    assert_eq!(boards.b.claim(&who("y"), &able, TTL).await.unwrap(), None);
    assert_eq!(renewed(&boards.a, "x", &[job]).await, [job]);
    assert_eq!(claim(&boards.b, "y").await, None);
    time.advance(TTL).await;
    assert_eq!(claim(&boards.b, "y").await, expired(job));
}

async fn a_lease_that_is_not_named_runs_out(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let (known, forgotten) = (posted(&boards.a, 1).await, posted(&boards.a, 2).await);
    assert_eq!(claim(&boards.a, "x").await, fresh(known));
    assert_eq!(claim(&boards.a, "x").await, fresh(forgotten));
    time.advance(TTL / 2).await;
    assert_eq!(renewed(&boards.a, "x", &[known]).await, [known]);
    assert!(renewed(&boards.a, "x", &[]).await.is_empty());
    time.advance(TTL / 2).await;
    assert_eq!(claim(&boards.b, "y").await, expired(forgotten));
    assert_eq!(claim(&boards.b, "y").await, None);
}

async fn a_thousand_leases_are_renewed_at_once(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let x = who("x");
    let mut jobs = Vec::new();
    for n in 0..1200 {
        let notice = notice(n);
        boards.a.post(&notice, Some((&x, TTL))).await.unwrap();
        jobs.push(notice.job);
    }
    time.advance(TTL / 2).await;
    let mut held = renewed(&boards.b, "x", &jobs).await;
    held.sort_unstable();
    assert_eq!(held, jobs);
    time.advance(TTL / 2).await;
    assert_eq!(claim(&boards.b, "y").await, None);
}

async fn the_end_of_the_next_lease_is_known(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let next = async || boards.b.next_expiry().await.unwrap();
    posted(&boards.a, 1).await;
    assert_eq!(next().await, None, "nothing is leased");
    let first = claim(&boards.a, "x").await.unwrap().job;
    assert!(time.is_about(next().await, TTL));
    time.advance(TTL / 3).await;
    posted(&boards.a, 2).await;
    claim(&boards.a, "y").await.unwrap();
    assert!(time.is_about(next().await, TTL - TTL / 3));
    assert!(boards.a.complete(&who("x"), first).await.unwrap());
    assert!(time.is_about(next().await, TTL));
    time.advance(TTL).await;
    assert_eq!(next().await, None, "it has run out");
}
