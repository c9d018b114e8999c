//! Jobs and their history, in order and in pages.

use indexmap::IndexMap;
use jobrunner::model::{Epoch, FlowState, Intent, JobId, NewJob, Priority, Timestamp, Value};
use jobrunner::ports::{Commit, Created};

use super::{
    AT, DONE, Stores, commit, contract, ending, everything, flow, job, owned, posted, record,
    started, step, who,
};

contract!(
    a_job_is_loaded_as_it_was_posted,
    jobs_are_listed_newest_first,
    jobs_are_found_by_a_prefix_of_their_id,
    ready_jobs_are_paged,
    events_are_paged,
    jobs_that_ended_long_ago_are_listed_and_removed,
);

async fn a_job_is_loaded_as_it_was_posted(stores: Stores) {
    let new = job(1);
    assert_eq!(stores.a.create(&new).await.unwrap(), Created::New);
    let loaded = stores.b.load(new.id).await.unwrap().unwrap();
    let found = &loaded.job;
    assert_eq!(found.id, new.id);
    assert_eq!(found.name, new.name);
    assert_eq!(found.bundle, new.bundle);
    assert_eq!(found.digest, new.digest);
    assert_eq!(found.requires, new.requires);
    assert_eq!(found.priority, new.priority);
    assert_eq!(found.created_at, new.created_at);
    let names = |found: &IndexMap<String, Value>| found.keys().cloned().collect::<Vec<_>>();
    assert_eq!(found.inputs, new.inputs);
    assert_eq!(
        names(&found.inputs),
        names(&new.inputs),
        "in the same order"
    );
    assert_eq!(found.secrets, new.secrets);
    assert_eq!(found.flow.state, FlowState::Pending);
    assert_eq!(found.flow.since, new.created_at);
    assert_eq!(found.intent, Intent::None);
    assert_eq!(found.owner, None);
    assert_eq!(found.epoch, Epoch(0));
    assert_eq!(found.seq, 0);
    assert_eq!(loaded.checkpoint.flow, found.flow);
    assert!(loaded.checkpoint.atoms.is_empty());
    assert!(loaded.requests.is_empty());
}

fn ids(found: &[jobrunner::ports::JobSummary]) -> Vec<JobId> {
    found.iter().map(|summary| summary.id).collect()
}

async fn jobs_are_listed_newest_first(stores: Stores) {
    let me = who("x");
    let mut jobs = Vec::new();
    for n in 0..6 {
        jobs.push(owned(&stores.a, n, &me).await.0);
    }
    for job in [jobs[1], jobs[5]] {
        let ended = ending(step(job, &me, Epoch(1), 0), FlowState::Reverted);
        assert_eq!(commit(&stores.a, ended).await, DONE);
    }
    let all = stores.b.jobs(true, 100).await.unwrap();
    assert_eq!(ids(&all), jobs.iter().copied().rev().collect::<Vec<_>>());
    let live = stores.b.jobs(false, 100).await.unwrap();
    assert_eq!(ids(&live), [jobs[4], jobs[3], jobs[2], jobs[0]]);
    assert_eq!(
        ids(&stores.b.jobs(true, 2).await.unwrap()),
        [jobs[5], jobs[4]]
    );
    assert_eq!(
        ids(&stores.b.jobs(false, 2).await.unwrap()),
        [jobs[4], jobs[3]]
    );
    let summary = &all[0];
    assert_eq!(summary.name, "deploy");
    assert_eq!(summary.flow, flow(FlowState::Reverted));
    assert_eq!(summary.owner, None);
    assert_eq!(all[1].owner, Some(me));
    assert_eq!(summary.epoch, Epoch(1));
    assert_eq!(summary.requires, r#"["gpu"]"#);
    assert_eq!(summary.priority, Priority::High);
    assert_eq!(summary.created_at, AT);
}

async fn jobs_are_found_by_a_prefix_of_their_id(stores: Stores) {
    let mut jobs = Vec::new();
    for id in [
        "01900000-0000-7000-8000-000000000001",
        "01900000-0000-7000-8000-00000000000f",
        "01900000-0000-7000-8000-0000000000f0",
        "0190ffff-0000-7000-8000-000000000001",
        "f1900000-0000-7000-8000-000000000001",
    ] {
        let new = NewJob {
            id: id.parse().unwrap(),
            ..job(0)
        };
        stores.a.create(&new).await.unwrap();
        jobs.push(new.id);
    }
    for (prefix, found) in [
        ("", &jobs[..]),
        ("0190", &jobs[..4]),
        ("01900000-", &jobs[..3]),
        ("01900000-0000-7000-8000-00000000000", &jobs[..2]),
        ("01900000-0000-7000-8000-00000000000f", &jobs[1..2]),
        ("f", &jobs[4..]),
        ("01900000-0000-7000-8000-00000000000f0", &[]),
        ("0191", &[]),
        ("F", &[]),
        ("g", &[]),
        ("%", &[]),
        ("_", &[]),
        ("0190'", &[]),
    ] {
        let summaries = stores.b.find(prefix, 100).await.unwrap();
        assert_eq!(ids(&summaries), found, "`{prefix}`");
    }
    assert_eq!(ids(&stores.b.find("0190", 2).await.unwrap()), &jobs[..2]);
}

async fn ready_jobs_are_paged(stores: Stores) {
    let me = who("x");
    let mut jobs = Vec::new();
    for n in 0..7 {
        jobs.push(posted(&stores.a, n).await);
    }
    stores.a.own(jobs[2], &me).await.unwrap();
    let first = stores.b.ready(None, 3).await.unwrap();
    assert_eq!(ids(&first), jobs[..3]);
    let owners: Vec<_> = first.iter().map(|job| job.owner.clone()).collect();
    assert_eq!(owners, [None, None, Some(me.clone())]);
    let second = ids(&stores.b.ready(Some(jobs[2]), 4).await.unwrap());
    assert_eq!(second, jobs[3..]);
    assert!(stores.b.ready(Some(jobs[6]), 3).await.unwrap().is_empty());
    stores.a.disown(jobs[2], &me, Epoch(1)).await.unwrap();
    let free = stores.b.ready(Some(jobs[1]), 1).await.unwrap();
    assert_eq!(ids(&free), [jobs[2]]);
    assert_eq!(free[0].owner, None);
}

async fn events_are_paged(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let many = Commit {
        records: (0..5).map(|n| record(n, started())).collect(),
        ..step(job, &me, epoch, 0)
    };
    assert_eq!(commit(&stores.a, many).await, DONE);
    let epoch = stores.b.own(job, &me).await.unwrap().unwrap();
    assert_eq!(commit(&stores.a, step(job, &me, epoch, 5)).await, DONE);
    let seqs = async |after, limit| {
        let events = stores.b.events(job, after, limit).await.unwrap();
        events
            .iter()
            .map(|e| (e.seq, e.epoch.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 3).await, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(seqs(3, 10).await, [(4, 1), (5, 1), (6, 2)]);
    assert_eq!(seqs(6, 10).await, []);
    assert_eq!(seqs(0, 0).await, []);
}

async fn jobs_that_ended_long_ago_are_listed_and_removed(stores: Stores) {
    let me = who("x");
    let keyed = NewJob {
        key: Some("nightly".into()),
        ..job(0)
    };
    assert_eq!(stores.a.create(&keyed).await.unwrap(), Created::New);
    let mut jobs = vec![keyed.id];
    stores.a.own(keyed.id, &me).await.unwrap().unwrap();
    for n in 1..5 {
        jobs.push(owned(&stores.a, n, &me).await.0);
    }
    // The first four have ended, one later than the others; what is left of each is the same.
    for job in &jobs[..4] {
        let mut ended = ending(step(*job, &me, Epoch(1), 0), FlowState::Success);
        if *job == jobs[2] {
            ended.flow.as_mut().unwrap().since = Timestamp(AT.0 + 60_000);
        }
        assert_eq!(commit(&stores.a, ended).await, DONE);
    }
    let long_ago = Timestamp(AT.0 + 30_000);
    let all = stores.b.ended(long_ago, None, 100).await.unwrap();
    assert_eq!(ids(&all), [jobs[0], jobs[1], jobs[3]]);
    let first = stores.b.ended(long_ago, None, 1).await.unwrap();
    assert_eq!(ids(&first), [jobs[0]]);
    let next = stores.b.ended(long_ago, Some(jobs[0]), 1).await.unwrap();
    assert_eq!(ids(&next), [jobs[1]]);
    let untouched = everything(&stores.b, jobs[4]).await;
    // One that has not ended is named as well: it stays.
    stores.b.remove(&[jobs[0], jobs[3], jobs[4]]).await.unwrap();
    let left = stores.a.jobs(true, 100).await.unwrap();
    assert_eq!(ids(&left), [jobs[4], jobs[2], jobs[1]]);
    assert_eq!(everything(&stores.a, jobs[4]).await, untouched);
    assert!(stores.a.load(jobs[0]).await.unwrap().is_none());
    assert!(stores.a.events(jobs[0], 0, 100).await.unwrap().is_empty());
    let again = NewJob {
        key: keyed.key,
        ..job(9)
    };
    assert_eq!(
        stores.a.create(&again).await.unwrap(),
        Created::New,
        "its key is free"
    );
    stores.b.remove(&[]).await.unwrap();
}
