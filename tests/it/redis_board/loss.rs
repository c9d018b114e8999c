//! A board that loses what it held, in part or as a whole.

use std::time::Duration;

use jobrunner::boards::redis::RedisBoard;
use jobrunner::model::{ConductorId, JobId};
use jobrunner::ports::{BoardError, Claim, JobBoard, Notice, Rebuild};
use redis::Commands;

use crate::servers::redis::{Redis, board};

const TTL: Duration = Duration::from_secs(60);

fn who(name: &str) -> ConductorId {
    ConductorId(name.to_owned())
}

fn notice(n: u128) -> Notice {
    Notice {
        job: JobId(uuid::Uuid::from_u128(n)),
        priority: Default::default(),
        requires: "[]".to_owned(),
    }
}

async fn claim(board: &RedisBoard, by: &str) -> Result<Option<Claim>, BoardError> {
    board.claim(&who(by), &["[]".to_owned()], TTL).await
}

async fn filled(board: &RedisBoard) {
    let begun = board.begin_rebuild(&who("filler"), TTL).await.unwrap();
    assert_eq!(begun, Rebuild::Yours);
    assert!(board.end_rebuild(&who("filler")).await.unwrap());
}

fn flush(redis: &Redis) {
    redis::cmd("FLUSHALL").exec(&mut redis.connect()).unwrap();
}

#[tokio::test]
async fn nothing_is_claimed_from_a_board_that_was_lost_until_it_is_filled() {
    let redis = Redis::start(&[]);
    let a = board(&redis.url()).await;
    let b = board(&redis.url()).await;
    filled(&a).await;
    assert_eq!(
        a.begin_rebuild(&who("a"), TTL).await.unwrap(),
        Rebuild::NotNeeded
    );
    flush(&redis);
    // Somebody asks something of a job that is in other hands, before the board knows it again.
    let (owned, free) = (notice(1), notice(2));
    b.post(&owned, None).await.unwrap();
    assert!(matches!(claim(&b, "b").await, Err(BoardError::Lost)));
    assert!(matches!(b.requirements().await, Err(BoardError::Lost)));
    assert_eq!(
        a.begin_rebuild(&who("a"), TTL).await.unwrap(),
        Rebuild::Yours
    );
    assert_eq!(
        a.begin_rebuild(&who("a"), TTL).await.unwrap(),
        Rebuild::Yours
    );
    assert_eq!(
        b.begin_rebuild(&who("b"), TTL).await.unwrap(),
        Rebuild::Others
    );
    assert!(!b.extend_rebuild(&who("b"), TTL).await.unwrap());
    assert!(!b.end_rebuild(&who("b")).await.unwrap());
    let found = [(owned.clone(), Some(who("c"))), (free.clone(), None)];
    assert_eq!(a.restore(&found, TTL).await.unwrap(), 1);
    assert!(matches!(claim(&b, "b").await, Err(BoardError::Lost)));
    b.wait(Duration::ZERO).await.unwrap();
    assert!(a.extend_rebuild(&who("a"), TTL).await.unwrap());
    assert!(a.end_rebuild(&who("a")).await.unwrap());
    // Whoever waits hears of it.
    tokio::time::timeout(TTL, b.wait(TTL * 2))
        .await
        .unwrap()
        .unwrap();
    let claimed = claim(&b, "b").await.unwrap().map(|claim| claim.job);
    assert_eq!(claimed, Some(free.job));
    assert_eq!(
        claim(&b, "b").await.unwrap(),
        None,
        "the other one has an owner"
    );
    assert_eq!(
        b.renew(&who("c"), &[owned.job], TTL).await.unwrap(),
        [owned.job]
    );
}

#[tokio::test]
async fn a_lease_in_older_data_ends_no_sooner_than_its_holder_may_believe() {
    let redis = Redis::start(&[]);
    let a = board(&redis.url()).await;
    filled(&a).await;
    let (owned, soon) = (notice(1), Duration::from_millis(1));
    a.post(&owned, Some((&who("c"), soon))).await.unwrap();
    // The data are from before the holder renewed it for the last time.
    let generation = "{jobrunner}:1:generation";
    let lost: i64 = redis.connect().del(generation).unwrap();
    assert_eq!(lost, 1);
    assert_eq!(
        a.begin_rebuild(&who("a"), TTL).await.unwrap(),
        Rebuild::Yours
    );
    let found = [(owned.clone(), Some(who("c")))];
    assert_eq!(a.restore(&found, TTL).await.unwrap(), 0);
    assert!(a.end_rebuild(&who("a")).await.unwrap());
    assert!(a.next_expiry().await.unwrap().unwrap() > TTL / 2);
    assert_eq!(claim(&a, "b").await.unwrap(), None);
}

#[tokio::test]
async fn whoever_is_gone_while_filling_is_replaced() {
    let redis = Redis::start(&[]);
    let a = board(&redis.url()).await;
    let soon = Duration::from_millis(1);
    assert_eq!(
        a.begin_rebuild(&who("a"), soon).await.unwrap(),
        Rebuild::Yours
    );
    while a.begin_rebuild(&who("b"), TTL).await.unwrap() != Rebuild::Yours {}
    assert!(!a.extend_rebuild(&who("a"), TTL).await.unwrap());
    assert!(!a.end_rebuild(&who("a")).await.unwrap());
    // Lost again while it is being filled: what was restored may be gone.
    flush(&redis);
    assert!(!a.end_rebuild(&who("b")).await.unwrap());
    assert!(matches!(claim(&a, "a").await, Err(BoardError::Lost)));
}

#[tokio::test]
async fn what_is_restored_to_a_whole_board_changes_nothing() {
    let redis = Redis::start(&[]);
    let a = board(&redis.url()).await;
    filled(&a).await;
    let (ready, leased, unknown) = (notice(1), notice(2), notice(3));
    a.post(&ready, None).await.unwrap();
    a.post(&leased, Some((&who("x"), TTL))).await.unwrap();
    let found = [
        (ready.clone(), Some(who("y"))),
        (leased.clone(), None),
        (unknown.clone(), Some(who("y"))),
    ];
    assert_eq!(a.restore(&found, TTL).await.unwrap(), 1);
    let held = a
        .renew(&who("y"), &[ready.job, unknown.job], TTL)
        .await
        .unwrap();
    assert_eq!(held, [unknown.job]);
    assert_eq!(
        claim(&a, "z").await.unwrap().map(|claim| claim.job),
        Some(ready.job)
    );
    assert_eq!(claim(&a, "z").await.unwrap(), None);
    assert_eq!(a.restore(&[], TTL).await.unwrap(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let redis = Redis::start(&[]);
    let a = board(&redis.url()).await;
    filled(&a).await;
    let good = notice(7);
    a.post(&good, None).await.unwrap();
    let key = |name: &str| format!("{{jobrunner}}:1:{name}");
    let mut hand = redis.connect();
    let (broken, missing) = (notice(8).job.to_string(), notice(9).job.to_string());
    for (job, record) in [
        ("nonsense", Some("1 []")),
        (&*broken, Some("x")),
        (&*missing, None),
    ] {
        let _: i64 = hand.zadd(key("queue:[]"), job, 1).unwrap();
        let _: i64 = hand.zadd(key("order"), job, 1).unwrap();
        if let Some(record) = record {
            let _: i64 = hand.hset(key("jobs"), job, record).unwrap();
        }
    }
    let _: i64 = hand.zadd(key("leases"), "nobody's", 5).unwrap();
    let _: i64 = hand.sadd(key("queues"), "{{{").unwrap();
    let shown = a.snapshot(10).await.unwrap();
    assert_eq!(
        shown
            .iter()
            .map(|posting| posting.notice.job)
            .collect::<Vec<_>>(),
        [good.job]
    );
    assert_eq!(a.requirements().await.unwrap(), ["[]"]);
    assert_eq!(
        claim(&a, "x").await.unwrap().map(|claim| claim.job),
        Some(good.job)
    );
    assert_eq!(claim(&a, "x").await.unwrap(), None);
    let mut aside: Vec<(String, String)> = hand.hgetall(key("unreadable")).unwrap();
    aside.sort();
    let mut expected = [
        (&*broken, "x"),
        (&*missing, ""),
        ("nobody's", ""),
        ("nonsense", "1 []"),
    ];
    expected.sort_unstable();
    assert_eq!(
        aside.iter().map(|(a, b)| (&**a, &**b)).collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn a_connection_that_is_closed_is_made_again() {
    let redis = Redis::start(&[]);
    let (a, b) = (board(&redis.url()).await, board(&redis.url()).await);
    filled(&a).await;
    a.wait(Duration::ZERO).await.unwrap();
    redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("pubsub")
        .exec(&mut redis.connect())
        .unwrap();
    // What is said in between is heard all the same.
    b.wake().await.unwrap();
    tokio::time::timeout(TTL, a.wait(TTL * 2))
        .await
        .unwrap()
        .unwrap();
    a.wait(Duration::ZERO).await.unwrap();
    let wake = async {
        tokio::task::yield_now().await;
        b.wake().await.unwrap();
    };
    let (waited, ()) = tokio::join!(a.wait(TTL * 2), wake);
    waited.unwrap();
    assert_eq!(claim(&a, "x").await.unwrap(), None);
}
