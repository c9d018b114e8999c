//! What is posted, and who gets it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jobrunner::model::Priority;
use jobrunner::ports::{Notice, Posting};

use super::{Kind, LITTLE, TTL, anything, claim, contract, expired, fresh, notice, posted, who};

contract!(
    a_posted_job_is_claimed_once,
    posting_again_changes_nothing,
    the_higher_priority_is_claimed_first_then_the_earlier,
    a_conductor_claims_only_what_it_is_able_to_do,
    requirements_are_those_of_ready_jobs,
    a_posting_whose_requirements_cannot_be_read_is_set_aside_until_it_is_posted_again,
    a_job_that_somebody_took_to_where_nobody_looks_is_found_by_the_sweep,
    no_job_is_claimed_twice_however_many_race,
    some_are_claimed_at_once_as_one_after_the_other_would_be,
    a_released_job_is_ready_in_its_old_place,
    a_completed_job_is_gone,
    only_the_holder_releases_and_completes,
    a_reserved_post_is_leased_from_the_start,
    a_snapshot_shows_the_first_to_be_claimed_first,
);

async fn a_posted_job_is_claimed_once(kind: Kind) {
    let (boards, _) = kind.with_time().await;
    assert_eq!(claim(&boards.a, "x").await, None);
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.b, "x").await, fresh(job));
    assert_eq!(claim(&boards.a, "x").await, None);
    assert_eq!(claim(&boards.a, "y").await, None);
}

async fn posting_again_changes_nothing(kind: Kind) {
    let (boards, _) = kind.with_time().await;
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
    let (boards, _) = kind.with_time().await;
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
    let (boards, _) = kind.with_time().await;
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
    let (boards, time) = kind.with_time().await;
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
    time.advance(TTL).await;
    assert_eq!(requirements().await, ["[\"a\"]", "[\"b\"]", "[]"]);
}

async fn a_posting_whose_requirements_cannot_be_read_is_set_aside_until_it_is_posted_again(
    kind: Kind,
) {
    let (boards, time) = kind.with_time().await;
    // One is ready, the other one becomes so when its lease runs out.
    let (mut ready, mut leased) = (notice(1), notice(2));
    ready.requires = "no list".to_owned();
    leased.requires = "[7]".to_owned();
    boards.a.post(&ready, None).await.unwrap();
    let lease = Some((&who("gone"), LITTLE));
    boards.a.post(&leased, lease).await.unwrap();
    time.advance(LITTLE * 2).await;
    let good = posted(&boards.a, 3).await;
    for board in [&boards.a, &boards.b] {
        assert_eq!(board.requirements().await.unwrap(), anything());
        let shown = board.snapshot(10).await.unwrap();
        let shown: Vec<_> = shown.iter().map(|posting| posting.notice.job).collect();
        assert_eq!(shown, [good], "the others are out of the way");
    }
    assert_eq!(claim(&boards.a, "x").await, fresh(good));
    ready.requires = "[]".to_owned();
    boards.b.post(&ready, None).await.unwrap();
    assert_eq!(claim(&boards.a, "x").await, fresh(ready.job));
    assert_eq!(claim(&boards.a, "x").await, None);
}

async fn a_job_that_somebody_took_to_where_nobody_looks_is_found_by_the_sweep(kind: Kind) {
    let (boards, _) = kind.with_time().await;
    let (mislaid, other) = (notice(1), notice(2));
    boards.a.post(&mislaid, None).await.unwrap();
    boards.mislay(mislaid.job).await;
    boards.a.post(&other, None).await.unwrap();
    let all = [(mislaid.clone(), None), (other.clone(), None)];
    boards.b.restore(&all, TTL).await.unwrap();
    assert_eq!(
        boards.b.restore(&all, TTL).await.unwrap(),
        0,
        "all is there"
    );
    let mut claimed = BTreeSet::new();
    for board in [&boards.a, &boards.b] {
        assert_eq!(board.requirements().await.unwrap(), ["[]"]);
        claimed.extend(claim(board, "x").await.map(|claim| claim.job));
    }
    assert_eq!(claimed, [mislaid.job, other.job].into());
    assert_eq!(claim(&boards.a, "x").await, None);
    assert_eq!(
        boards.b.restore(&all, TTL).await.unwrap(),
        0,
        "all is leased"
    );
}

async fn no_job_is_claimed_twice_however_many_race(kind: Kind) {
    let (boards, _) = kind.with_time().await;
    let mut jobs = BTreeSet::new();
    for n in 0..40 {
        jobs.insert(posted(&boards.a, n).await);
    }
    let claimers = (0..8).map(|n| {
        let board = Arc::clone(if n % 2 == 0 { &boards.a } else { &boards.b });
        tokio::spawn(async move {
            let (who, able) = (who(&format!("x{n}")), anything());
            // Half of them claim one at a time, the others some at once.
            let limit = if n < 4 { 1 } else { 3 };
            let mut mine = Vec::new();
            loop {
                let some = board.claim_some(&who, &able, TTL, limit).await.unwrap();
                if some.is_empty() {
                    return mine;
                }
                mine.extend(some.into_iter().map(|claim| claim.job));
            }
        })
    });
    let mut claimed = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        claimed.extend(claimer.await.unwrap());
    }
    assert_eq!(claimed.len(), 40);
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), jobs);
}

async fn some_are_claimed_at_once_as_one_after_the_other_would_be(kind: Kind) {
    let (boards, _) = kind.with_time().await;
    let able = vec!["[]".to_owned(), "[\"gpu\"]".to_owned()];
    let x = who("x");
    for (n, priority) in (0..12).zip(Priority::ALL.into_iter().rev().cycle()) {
        let notice = Notice {
            priority,
            requires: able[usize::from(n % 3 == 0)].clone(),
            ..notice(n)
        };
        boards.a.post(&notice, None).await.unwrap();
    }
    let other = Notice {
        requires: "[\"moon\"]".into(),
        ..notice(20)
    };
    boards.a.post(&other, None).await.unwrap();
    let mut expected = boards.b.snapshot(100).await.unwrap();
    expected.retain(|posting| posting.notice.job != other.job);
    let expected: Vec<_> = expected.iter().map(|it| it.notice.job).collect();
    let mut claimed = Vec::new();
    loop {
        let some = boards.a.claim_some(&x, &able, TTL, 5).await.unwrap();
        assert!(some.len() <= 5, "{}", some.len());
        if some.is_empty() {
            break;
        }
        assert!(some.iter().all(|claim| !claim.expired));
        claimed.extend(some.into_iter().map(|claim| claim.job));
    }
    assert_eq!(claimed, expected);
    // All of them are leased, and to nobody else.
    let held = boards.b.renew(&x, &claimed, TTL).await.unwrap();
    assert_eq!(BTreeSet::from_iter(held), BTreeSet::from_iter(claimed));
    let more = boards.b.claim_some(&who("y"), &able, TTL, 5).await.unwrap();
    assert_eq!(more, []);
}

async fn a_released_job_is_ready_in_its_old_place(kind: Kind) {
    let (boards, _) = kind.with_time().await;
    let jobs = [posted(&boards.a, 1).await, posted(&boards.a, 2).await];
    assert_eq!(claim(&boards.a, "x").await, fresh(jobs[0]));
    assert!(boards.b.release(&who("x"), jobs[0]).await.unwrap());
    assert!(!boards.b.release(&who("x"), jobs[0]).await.unwrap());
    assert_eq!(claim(&boards.b, "y").await, fresh(jobs[0]));
    assert_eq!(claim(&boards.b, "y").await, fresh(jobs[1]));
}

async fn a_completed_job_is_gone(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    let job = posted(&boards.a, 1).await;
    assert_eq!(claim(&boards.a, "x").await, fresh(job));
    assert!(boards.a.complete(&who("x"), job).await.unwrap());
    assert!(!boards.a.complete(&who("x"), job).await.unwrap());
    time.advance(TTL * 2).await;
    assert_eq!(claim(&boards.b, "y").await, None);
    assert!(boards.b.snapshot(10).await.unwrap().is_empty());
    assert!(boards.b.requirements().await.unwrap().is_empty());
}

async fn only_the_holder_releases_and_completes(kind: Kind) {
    let (boards, _) = kind.with_time().await;
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
    let (boards, time) = kind.with_time().await;
    let (first, second) = (notice(1), notice(2));
    for notice in [&first, &second] {
        boards.a.post(notice, Some((&who("x"), TTL))).await.unwrap();
    }
    assert!(boards.b.requirements().await.unwrap().is_empty());
    assert_eq!(claim(&boards.b, "y").await, None);
    let both = [first.job, second.job];
    let renewed = boards.a.renew(&who("x"), &both, TTL).await.unwrap();
    assert_eq!(renewed.len(), 2);
    assert!(boards.a.release(&who("x"), first.job).await.unwrap());
    assert_eq!(claim(&boards.b, "y").await, fresh(first.job));
    time.advance(TTL).await;
    assert_eq!(claim(&boards.b, "z").await, expired(first.job));
    assert_eq!(claim(&boards.b, "z").await, expired(second.job));
}

async fn a_snapshot_shows_the_first_to_be_claimed_first(kind: Kind) {
    let (boards, time) = kind.with_time().await;
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
    let shown = boards.b.snapshot(10).await.unwrap();
    let order: Vec<_> = shown.iter().map(|posting| &posting.notice).collect();
    assert_eq!(order, [&notices[1], &notices[0], &notices[2]]);
    let lease = shown[1].lease.clone().unwrap();
    assert_eq!(lease.0, who("x"));
    assert!(time.is_whole_lease(lease.1), "{lease:?}");
    assert!(shown[0].lease.is_none() && shown[2].lease.is_none());
    assert_eq!(boards.b.snapshot(2).await.unwrap(), shown[..2]);
    assert!(boards.b.snapshot(0).await.unwrap().is_empty());
}
