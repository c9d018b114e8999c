//! What people ask of a job.

use std::collections::BTreeSet;

use jobrunner::model::{Answer, FlowState, Intent, Verb};
use jobrunner::ports::{Commit, Committed, Request};

use super::{AT, DONE, Stores, commit, contract, ending, operator, owned, posted, step, who};

contract!(
    requests_wait_until_they_are_answered,
    requests_tell_what_is_intended,
    a_request_number_is_never_given_twice,
    a_job_at_an_end_takes_no_requests_and_keeps_none,
);

async fn requests_wait_until_they_are_answered(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let (other, _) = owned(&stores.a, 2, &who("y")).await;
    let asked = [
        Request::Suspend(operator()),
        Request::Resume(operator()),
        Request::Decide {
            verb: Verb::MarkReverted,
            task: Some("build.step1".into()),
            by: operator(),
        },
        Request::Cancel(operator()),
        Request::Answer {
            task: "build.ask".into(),
            generation: 2,
            answer: Answer {
                approved: true,
                by: operator(),
                at: AT,
            },
        },
    ];
    for request in &asked {
        assert!(stores.b.request(job, request, AT).await.unwrap());
    }
    assert!(stores.b.request(other, &asked[0], AT).await.unwrap());
    let mine = stores.a.requests(&me).await.unwrap();
    assert!(mine.iter().all(|(of, ..)| *of == job));
    assert!(mine.is_sorted_by_key(|(_, number, _)| *number));
    let found: Vec<_> = mine.iter().map(|(.., request)| request.clone()).collect();
    assert_eq!(found, asked);
    let waiting: Vec<_> = mine
        .iter()
        .map(|(_, n, request)| (*n, request.clone()))
        .collect();
    assert_eq!(stores.b.load(job).await.unwrap().unwrap().requests, waiting);

    let answer = commit(&stores.a, step(job, &me, epoch, 0)).await;
    assert_eq!(answer, Committed::Done { requests: true });
    let theirs = stores.a.requests(&who("y")).await.unwrap()[0].1;
    let first = Commit {
        answered: vec![waiting[0].0, waiting[2].0, theirs],
        ..step(job, &me, epoch, 1)
    };
    assert_eq!(
        commit(&stores.a, first).await,
        Committed::Done { requests: true }
    );
    let left = stores.b.load(job).await.unwrap().unwrap().requests;
    assert_eq!(
        left,
        [waiting[1].clone(), waiting[3].clone(), waiting[4].clone()]
    );
    let last = Commit {
        answered: left.iter().map(|(number, _)| *number).collect(),
        ..step(job, &me, epoch, 2)
    };
    assert_eq!(commit(&stores.a, last).await, DONE);
    assert!(stores.b.requests(&me).await.unwrap().is_empty());
    assert_eq!(
        stores.b.requests(&who("y")).await.unwrap().len(),
        1,
        "of another job"
    );

    // A request that changes nothing is answered without a record.
    assert!(stores.b.request(job, &asked[1], AT).await.unwrap());
    let number = stores.b.requests(&me).await.unwrap()[0].1;
    let empty = Commit {
        records: Vec::new(),
        atoms: Vec::new(),
        answered: vec![number],
        ..step(job, &me, epoch, 3)
    };
    assert_eq!(commit(&stores.a, empty).await, DONE);
    assert!(stores.b.requests(&me).await.unwrap().is_empty());
}

async fn requests_tell_what_is_intended(stores: Stores) {
    let job = posted(&stores.a, 1).await;
    let decide = Request::Decide {
        verb: Verb::Abandon,
        task: None,
        by: operator(),
    };
    for (request, intent) in [
        (decide.clone(), Intent::None),
        (Request::Suspend(operator()), Intent::Suspend),
        (decide, Intent::Suspend),
        (Request::Resume(operator()), Intent::None),
        (Request::Suspend(operator()), Intent::Suspend),
        (Request::Cancel(operator()), Intent::Cancel),
        (Request::Resume(operator()), Intent::Cancel),
    ] {
        assert!(stores.a.request(job, &request, AT).await.unwrap());
        assert_eq!(
            stores.b.load(job).await.unwrap().unwrap().job.intent,
            intent
        );
        assert_eq!(stores.b.jobs(false, 1).await.unwrap()[0].intent, intent);
    }
}

async fn a_request_number_is_never_given_twice(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let mut given = BTreeSet::new();
    for seq in 0..4 {
        stores
            .b
            .request(job, &Request::Suspend(operator()), AT)
            .await
            .unwrap();
        let number = stores.a.requests(&me).await.unwrap()[0].1;
        assert!(given.insert(number));
        let answering = Commit {
            answered: vec![number],
            ..step(job, &me, epoch, seq)
        };
        assert_eq!(commit(&stores.a, answering).await, DONE);
    }
}

async fn a_job_at_an_end_takes_no_requests_and_keeps_none(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let (other, _) = owned(&stores.a, 2, &me).await;
    let cancel = Request::Cancel(operator());
    assert!(stores.b.request(job, &cancel, AT).await.unwrap());
    assert!(stores.b.request(other, &cancel, AT).await.unwrap());
    let ended = ending(step(job, &me, epoch, 0), FlowState::Success);
    assert_eq!(commit(&stores.a, ended).await, DONE);
    assert!(!stores.b.request(job, &cancel, AT).await.unwrap());
    assert!(
        stores
            .a
            .load(job)
            .await
            .unwrap()
            .unwrap()
            .requests
            .is_empty()
    );
    let left = stores.a.requests(&me).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, other);
}
