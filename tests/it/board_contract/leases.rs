//! How long a claim lasts.

use std::time::Duration;

use super::{Kind, TTL, claim, contract, expired, fresh, posted, who};

contract!(
    a_lease_that_runs_out_is_taken_over,
    a_renewed_lease_is_kept,
    a_lease_that_somebody_has_taken_is_not_renewed,
    a_lease_that_nobody_has_taken_is_renewed_late,
    the_end_of_the_next_lease_is_known,
);

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

async fn the_end_of_the_next_lease_is_known(kind: Kind) {
    let (boards, clock) = kind.with_test_clock().await;
    let next = async || boards.b.next_expiry().await.unwrap();
    posted(&boards.a, 1).await;
    assert_eq!(next().await, None, "nothing is leased");
    let first = claim(&boards.a, "x").await.unwrap().job;
    assert_eq!(next().await, Some(TTL));
    clock.advance(TTL / 3);
    posted(&boards.a, 2).await;
    claim(&boards.a, "y").await.unwrap();
    assert_eq!(next().await, Some(TTL - TTL / 3));
    assert!(boards.a.complete(&who("x"), first).await.unwrap());
    assert_eq!(next().await, Some(TTL));
    clock.advance(TTL);
    assert_eq!(next().await, None, "it has run out");
}
