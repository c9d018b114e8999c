//! Conductors that tell of themselves.

use std::sync::Arc;
use std::time::Duration;

use jobrunner::model::Timestamp;
use jobrunner::ports::{JobBoard, Registration};

use super::{Kind, contract, who};

contract!(
    what_a_conductor_tells_is_seen_by_everyone,
    what_it_tells_later_takes_the_place_of_the_first,
    a_conductor_that_ends_is_gone_at_once,
    a_conductor_that_is_not_seen_any_more_is_forgotten_after_a_while,
);

const KEEP: Duration = Duration::from_secs(80);

fn conductor(name: &str) -> Registration {
    Registration {
        id: who(name),
        name: name.to_owned(),
        host: "anvil".to_owned(),
        since: Timestamp(1_795_500_000_000),
        jobs: 3,
        max_jobs: 64,
        max_tasks: 16,
        lease_ttl_ms: 15_000,
        labels: vec!["fast".to_owned()],
        capabilities: vec!["has_gpu".to_owned()],
        lacks: [
            ("[]".to_owned(), None),
            (r#"["has_gpu"]"#.to_owned(), Some("has_gpu".to_owned())),
        ]
        .into(),
    }
}

async fn told(board: &Arc<dyn JobBoard>) -> Vec<Registration> {
    let there = board.conductors().await.unwrap();
    there.into_iter().map(|one| one.conductor).collect()
}

async fn what_a_conductor_tells_is_seen_by_everyone(kind: Kind) {
    let (boards, _) = kind.with_time().await;
    assert_eq!(told(&boards.a).await, []);
    boards.a.register(&conductor("y"), KEEP).await.unwrap();
    boards.b.register(&conductor("x"), KEEP).await.unwrap();
    for board in [&boards.a, &boards.b] {
        assert_eq!(told(board).await, [conductor("x"), conductor("y")]);
    }
}

async fn what_it_tells_later_takes_the_place_of_the_first(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    boards.a.register(&conductor("x"), KEEP).await.unwrap();
    time.advance(Duration::from_secs(1)).await;
    let first = boards.b.conductors().await.unwrap()[0].seen_at;
    let busier = Registration {
        jobs: 4,
        ..conductor("x")
    };
    boards.a.register(&busier, KEEP).await.unwrap();
    let there = boards.b.conductors().await.unwrap();
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].conductor, busier);
    assert!(there[0].seen_at.since(first) >= Duration::from_millis(900));
}

async fn a_conductor_that_ends_is_gone_at_once(kind: Kind) {
    let (boards, _) = kind.with_time().await;
    boards.a.register(&conductor("x"), KEEP).await.unwrap();
    boards.a.register(&conductor("y"), KEEP).await.unwrap();
    boards.a.unregister(&who("x")).await.unwrap();
    boards.a.unregister(&who("x")).await.unwrap();
    assert_eq!(told(&boards.b).await, [conductor("y")]);
}

async fn a_conductor_that_is_not_seen_any_more_is_forgotten_after_a_while(kind: Kind) {
    let (boards, time) = kind.with_time().await;
    boards.a.register(&conductor("x"), KEEP).await.unwrap();
    time.advance(KEEP / 2).await;
    boards.a.register(&conductor("y"), KEEP).await.unwrap();
    assert_eq!(told(&boards.b).await.len(), 2);
    time.advance(KEEP * 3 / 4).await;
    assert_eq!(told(&boards.b).await, [conductor("y")]);
    boards.a.register(&conductor("z"), KEEP).await.unwrap();
    assert_eq!(told(&boards.b).await, [conductor("y"), conductor("z")]);
}
