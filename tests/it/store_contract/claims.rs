//! Who owns a job, and under which epoch.

use std::collections::BTreeSet;
use std::sync::Arc;

use jobrunner::model::{AtomId, AtomState, Change, Epoch, FlowState, NewJob, Verb};
use jobrunner::ports::{Committed, Created, Request};

use super::{
    AT, DONE, Stores, atom, commit, contract, ending, everything, job, operator, owned, posted,
    step, who,
};

contract!(
    a_key_makes_one_job_whoever_races,
    an_id_makes_one_job,
    every_claim_raises_the_epoch,
    one_epoch_is_given_once_whoever_races,
    a_job_is_owned_only_while_it_is_to_be_run,
    what_is_taken_on_with_others_is_as_if_by_itself,
    a_stale_claim_can_do_nothing,
    claims_without_progress_are_counted_until_a_commit,
    a_stalled_job_is_stuck_until_somebody_asks,
    nothing_is_known_of_an_unknown_job,
);

async fn a_key_makes_one_job_whoever_races(stores: Stores) {
    let posts = (0..16).map(|n| {
        let store = Arc::clone(if n % 2 == 0 { &stores.a } else { &stores.b });
        let new = NewJob {
            key: Some("nightly".into()),
            ..job(n)
        };
        tokio::spawn(async move { (new.id, store.create(&new).await.unwrap()) })
    });
    let mut made = BTreeSet::new();
    let mut found = BTreeSet::new();
    for post in posts.collect::<Vec<_>>() {
        match post.await.unwrap() {
            (id, Created::New) => made.insert(id),
            (_, Created::Existing(id)) => found.insert(id),
        };
    }
    assert_eq!(made.len(), 1);
    assert_eq!(found, made);
    assert_eq!(stores.a.jobs(true, 100).await.unwrap().len(), 1);
    let other = NewJob {
        key: Some("weekly".into()),
        ..job(20)
    };
    assert_eq!(stores.a.create(&other).await.unwrap(), Created::New);
    assert_eq!(stores.a.create(&job(21)).await.unwrap(), Created::New);
    assert_eq!(stores.a.create(&job(22)).await.unwrap(), Created::New);
}

async fn an_id_makes_one_job(stores: Stores) {
    let new = job(1);
    stores.a.create(&new).await.unwrap();
    let again = NewJob {
        name: "other".into(),
        ..new.clone()
    };
    let answer = stores.b.create(&again).await.unwrap();
    assert_eq!(answer, Created::Existing(new.id));
    let loaded = stores.a.load(new.id).await.unwrap().unwrap();
    assert_eq!(loaded.job.name, "deploy");
}

async fn every_claim_raises_the_epoch(stores: Stores) {
    let job = posted(&stores.a, 1).await;
    assert_eq!(stores.a.own(job, &who("x")).await.unwrap(), Some(Epoch(1)));
    assert_eq!(stores.b.own(job, &who("y")).await.unwrap(), Some(Epoch(2)));
    assert_eq!(stores.b.own(job, &who("y")).await.unwrap(), Some(Epoch(3)));
    let loaded = stores.a.load(job).await.unwrap().unwrap().job;
    assert_eq!(loaded.owner, Some(who("y")));
    assert_eq!(loaded.epoch, Epoch(3));
}

async fn one_epoch_is_given_once_whoever_races(stores: Stores) {
    let job = posted(&stores.a, 1).await;
    let claims = (0..20).map(|n| {
        let store = Arc::clone(if n % 2 == 0 { &stores.a } else { &stores.b });
        tokio::spawn(async move { store.own(job, &who("x")).await.unwrap().unwrap() })
    });
    let mut given = BTreeSet::new();
    for claim in claims.collect::<Vec<_>>() {
        given.insert(claim.await.unwrap());
    }
    assert_eq!(given, (1..=20).map(Epoch).collect());
}

async fn a_job_is_owned_only_while_it_is_to_be_run(stores: Stores) {
    for (n, state) in (0..).zip([
        FlowState::Pending,
        FlowState::Running,
        FlowState::Reverting,
        FlowState::Suspended,
        FlowState::Stuck,
        FlowState::Success,
        FlowState::Reverted,
        FlowState::Abandoned,
    ]) {
        let me = who("x");
        let (job, epoch) = owned(&stores.a, n, &me).await;
        let done = commit(&stores.a, ending(step(job, &me, epoch, 0), state)).await;
        assert_eq!(done, DONE);
        // What has ended is nobody's.
        let disowned = stores.a.disown(job, &me, epoch).await.unwrap();
        assert_eq!(disowned, !state.is_end());
        let is_ready = |found: Vec<jobrunner::ports::JobSummary>| found.iter().any(|j| j.id == job);
        let at_rest = state.is_at_rest();
        assert_eq!(is_ready(stores.b.ready(None, 100).await.unwrap()), !at_rest);
        assert_eq!(
            stores.b.own(job, &me).await.unwrap().is_some(),
            !at_rest,
            "{state}"
        );
        stores.b.disown(job, &me, Epoch(2)).await.unwrap();
        let request = Request::Resume(operator());
        let taken = stores.b.request(job, &request, AT).await.unwrap();
        assert_eq!(taken, !state.is_end());
        assert_eq!(is_ready(stores.a.ready(None, 100).await.unwrap()), taken);
        assert_eq!(
            stores.a.own(job, &me).await.unwrap().is_some(),
            taken,
            "{state}"
        );
    }
}

async fn what_is_taken_on_with_others_is_as_if_by_itself(stores: Stores) {
    let (old, me) = (who("old"), who("x"));
    let new = posted(&stores.a, 1).await;
    let (begun, epoch) = owned(&stores.a, 2, &old).await;
    assert_eq!(commit(&stores.a, step(begun, &old, epoch, 0)).await, DONE);
    let cancel = Request::Cancel(operator());
    assert!(stores.a.request(begun, &cancel, AT).await.unwrap());
    let mut jobs = vec![begun, job(9).id, new];
    let mut not_to_be_run = Vec::new();
    for (n, state) in (3..).zip([FlowState::Success, FlowState::Suspended]) {
        let (job, epoch) = owned(&stores.a, n, &old).await;
        let done = commit(&stores.a, ending(step(job, &old, epoch, 0), state)).await;
        assert_eq!(done, DONE);
        not_to_be_run.push((job, everything(&stores.b, job).await));
        jobs.push(job);
    }
    let taken = stores.a.take(&jobs, &me).await.unwrap();
    let mut epochs = vec![];
    for (job, taken) in taken {
        let loaded = stores.b.load(job).await.unwrap().unwrap();
        assert_eq!(loaded.job.owner.as_ref(), Some(&me));
        assert_eq!(loaded.job.epoch, taken.epoch);
        assert_eq!(taken.loaded.unwrap(), loaded);
        assert!(stores.b.owns(job, &me, taken.epoch).await.unwrap());
        epochs.push((job, taken.epoch));
    }
    // Each store takes on all that are to be run, or none.
    assert!(
        epochs.is_empty() || epochs == [(new, Epoch(1)), (begun, Epoch(2))],
        "{epochs:?}"
    );
    for (job, before) in not_to_be_run {
        assert_eq!(everything(&stores.b, job).await, before);
    }
}

async fn a_stale_claim_can_do_nothing(stores: Stores) {
    let (old, new) = (who("old"), who("new"));
    let (job, first) = owned(&stores.a, 1, &old).await;
    assert!(stores.b.owns(job, &old, first).await.unwrap());
    let second = stores.b.own(job, &new).await.unwrap().unwrap();
    let before = everything(&stores.a, job).await;
    for (by, epoch) in [(&old, first), (&old, second), (&new, first)] {
        assert!(!stores.a.owns(job, by, epoch).await.unwrap());
        assert!(!stores.a.disown(job, by, epoch).await.unwrap());
        assert!(!stores.a.stall(job, by, epoch, "why", AT).await.unwrap());
        let answer = commit(&stores.a, step(job, by, epoch, 0)).await;
        assert_eq!(answer, Committed::Fenced);
    }
    assert_eq!(everything(&stores.b, job).await, before);
    assert!(stores.a.owns(job, &new, second).await.unwrap());
    assert!(stores.a.disown(job, &new, second).await.unwrap());
    assert!(!stores.a.owns(job, &new, second).await.unwrap());
    assert!(!stores.a.disown(job, &new, second).await.unwrap());
    let answer = commit(&stores.a, step(job, &new, second, 0)).await;
    assert_eq!(answer, Committed::Fenced);
}

async fn claims_without_progress_are_counted_until_a_commit(stores: Stores) {
    let me = who("x");
    let job = posted(&stores.a, 1).await;
    let claims = async || stores.b.load(job).await.unwrap().unwrap().claims;
    assert_eq!(claims().await, 0);
    let mut epoch = Epoch(0);
    for n in 1..=3 {
        epoch = stores.a.own(job, &me).await.unwrap().unwrap();
        assert_eq!(claims().await, n);
    }
    assert_eq!(
        commit(&stores.a, step(job, &who("y"), epoch, 0)).await,
        Committed::Fenced
    );
    assert_eq!(claims().await, 3);
    assert!(stores.a.disown(job, &me, epoch).await.unwrap());
    assert_eq!(claims().await, 3);
    epoch = stores.a.own(job, &me).await.unwrap().unwrap();
    assert_eq!(claims().await, 4);
    assert_eq!(commit(&stores.a, step(job, &me, epoch, 0)).await, DONE);
    assert_eq!(claims().await, 0);
    epoch = stores.a.own(job, &me).await.unwrap().unwrap();
    let laden = ending(step(job, &me, epoch, 1), FlowState::Running);
    assert_eq!(claims().await, 1);
    assert_eq!(commit(&stores.a, laden).await, DONE);
    assert_eq!(claims().await, 0);
}

async fn a_stalled_job_is_stuck_until_somebody_asks(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let running = ending(step(job, &me, epoch, 0), FlowState::Running);
    assert_eq!(commit(&stores.a, running).await, DONE);
    let at = AT.plus(std::time::Duration::from_secs(1));
    assert!(
        stores
            .a
            .stall(job, &me, epoch, "no \"progress\"", at)
            .await
            .unwrap()
    );
    let loaded = stores.b.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.job.flow.state, FlowState::Stuck);
    assert_eq!(loaded.job.flow.since, at);
    assert_eq!(loaded.job.flow.started_at, Some(AT));
    let cause = loaded.job.flow.cause.clone().unwrap();
    assert_eq!(cause.message, "no \"progress\"");
    assert_eq!(
        loaded.checkpoint.atoms,
        [(AtomId(0), atom(0, AtomState::Running).row)]
    );
    assert_eq!(loaded.job.seq, 2);
    let events = stores.b.events(job, 1, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(matches!(
        &events[0].record.change,
        Change::Stalled { why } if **why == cause
    ));
    assert!(stores.b.disown(job, &me, epoch).await.unwrap());
    assert_eq!(stores.b.own(job, &me).await.unwrap(), None);
    let retry = Request::Decide {
        verb: Verb::Retry,
        task: None,
        by: operator(),
    };
    assert!(stores.b.request(job, &retry, AT).await.unwrap());
    assert!(stores.b.own(job, &me).await.unwrap().is_some());
    assert_eq!(stores.b.load(job).await.unwrap().unwrap().claims, 1);

    let (job, epoch) = owned(&stores.a, 2, &me).await;
    let ended = ending(step(job, &me, epoch, 0), FlowState::Success);
    assert_eq!(commit(&stores.a, ended).await, DONE);
    assert!(
        !stores
            .a
            .stall(job, &me, epoch, "too late", at)
            .await
            .unwrap()
    );
}

async fn nothing_is_known_of_an_unknown_job(stores: Stores) {
    let job = job(1).id;
    let me = who("x");
    assert_eq!(stores.a.own(job, &me).await.unwrap(), None);
    assert!(!stores.a.stall(job, &me, Epoch(0), "", AT).await.unwrap());
    assert!(!stores.a.disown(job, &me, Epoch(0)).await.unwrap());
    assert!(!stores.a.owns(job, &me, Epoch(0)).await.unwrap());
    assert_eq!(stores.a.load(job).await.unwrap(), None);
    assert!(
        !stores
            .a
            .request(job, &Request::Cancel(operator()), AT)
            .await
            .unwrap()
    );
    assert!(stores.a.requests(&me).await.unwrap().is_empty());
    assert!(stores.a.jobs(true, 10).await.unwrap().is_empty());
    assert!(stores.a.events(job, 0, 10).await.unwrap().is_empty());
    assert_eq!(
        commit(&stores.a, step(job, &me, Epoch(0), 0)).await,
        Committed::Fenced
    );
}
