//! Steps: whole or not at all, and only by the owner.

use std::sync::Arc;

use jobrunner::model::{
    AtomId, AtomRow, AtomState, Change, Epoch, Failure, FailureKind, FlowRow, FlowState, Intention,
    Record, RetryHistory, Subject, Timestamp, Try, Value,
};
use jobrunner::ports::{AtomWrite, Commit, Committed, LogBatch, Request};
use serde_json::json;

use super::{
    AT, DONE, Stores, atom, commit, contract, ending, everything, flow, job, operator, owned,
    record, step, succeeded, who,
};

contract!(
    a_commit_is_loaded_as_it_was_written,
    a_step_is_fenced_by_epoch_owner_and_seq,
    a_fenced_step_in_a_batch_changes_nothing_and_the_others_are_committed,
    steps_of_one_job_in_one_batch_follow_each_other,
    a_commit_whose_answer_was_lost_is_found_by_looking,
    a_dropped_commit_took_place_or_did_not,
    one_of_many_racing_commits_wins,
    a_step_without_atoms_or_records_is_fenced_and_counts,
    deep_and_odd_values_come_back,
    a_batch_of_large_results_is_committed,
);

async fn a_commit_is_loaded_as_it_was_written(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let failure = Failure {
        exit_code: Some(3),
        ..Failure::new(FailureKind::Exit, "ended with 3")
    };
    let full = AtomRow {
        revert_failure: None,
        state: AtomState::Retrying,
        intention: Intention::Retry,
        attempt: 4,
        generation: 3,
        revert_tries: 2,
        wake_at: Some(Timestamp(7)),
        started_at: Some(Timestamp(6)),
        since: Timestamp(5),
        result: json!({"z": 1, "a": [null, 1.5, "ü\u{0}\u{1F600}"]}).into(),
        failure: Some(Box::new(failure.clone())),
        history: Some(Box::new(RetryHistory {
            tries: 1,
            last: vec![Try {
                number: 1,
                value: json!("eu-1").into(),
                failure: Some(failure.clone()),
            }],
        })),
    };
    let flow = FlowRow {
        state: FlowState::Reverting,
        reverting: true,
        abandoned: true,
        cause: Some(failure.clone()),
        deadline: Some(Timestamp(9)),
        started_at: Some(Timestamp(1)),
        since: Timestamp(2),
    };
    let records = vec![
        record(0, succeeded(json!({"code": 0}))),
        record(
            7,
            Change::Failed {
                failure: Box::new(failure),
                allowed: true,
            },
        ),
        Record {
            subject: Subject::Flow,
            change: Change::Flow {
                abandoned: false,
                state: FlowState::Reverting,
                cause: None,
                deadline: None,
                by: Some(Box::new(operator())),
            },
            at: AT,
        },
    ];
    let step = Commit {
        records: records.clone(),
        atoms: vec![
            atom(0, AtomState::Success),
            AtomWrite {
                row: full.clone(),
                ..atom(7, AtomState::Pending)
            },
        ],
        flow: Some(flow.clone()),
        ..step(job, &me, epoch, 0)
    };
    assert_eq!(commit(&stores.a, step).await, DONE);
    let loaded = stores.b.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.job.seq, 3);
    assert_eq!(loaded.job.flow, flow);
    assert_eq!(loaded.checkpoint.flow, flow);
    let expected = [
        (AtomId(0), atom(0, AtomState::Success).row),
        (AtomId(7), full.clone()),
    ];
    assert_eq!(loaded.checkpoint.atoms, expected);
    let keys = |row: &AtomRow| {
        row.result
            .as_object()
            .map(|o| o.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(
        keys(&loaded.checkpoint.atoms[1].1),
        keys(&full),
        "in the same order"
    );
    let events = stores.b.events(job, 0, 10).await.unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(events.iter().all(|e| e.epoch == epoch));
    assert_eq!(
        events.into_iter().map(|e| e.record).collect::<Vec<_>>(),
        records
    );

    // A row is replaced, its neighbours and the flow stay.
    let next = Commit {
        records: vec![record(7, Change::Reverting)],
        atoms: vec![atom(7, AtomState::Reverting)],
        ..self::step(job, &me, epoch, 3)
    };
    assert_eq!(commit(&stores.b, next).await, DONE);
    let loaded = stores.a.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.checkpoint.flow, flow);
    let expected = [
        (AtomId(0), atom(0, AtomState::Success).row),
        (AtomId(7), atom(7, AtomState::Reverting).row),
    ];
    assert_eq!(loaded.checkpoint.atoms, expected);
}

/// Steps that do not fit, of a job whose next step is `fitting`.
fn misfits(fitting: &Commit) -> Vec<Commit> {
    let misfit = |change: &dyn Fn(&mut Commit)| {
        let mut step = fitting.clone();
        step.atoms.push(atom(99, AtomState::Failure));
        change(&mut step);
        step
    };
    vec![
        misfit(&|step| step.epoch = Epoch(step.epoch.0 - 1)),
        misfit(&|step| step.epoch = Epoch(step.epoch.0 + 1)),
        misfit(&|step| step.owner = who("other")),
        misfit(&|step| step.seq -= 1),
        misfit(&|step| step.seq += 1),
        misfit(&|step| step.job = job(77).id),
    ]
}

async fn a_step_is_fenced_by_epoch_owner_and_seq(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    assert_eq!(commit(&stores.a, step(job, &me, epoch, 0)).await, DONE);
    stores
        .a
        .request(job, &Request::Cancel(operator()), AT)
        .await
        .unwrap();
    let (number, _) = stores.a.load(job).await.unwrap().unwrap().requests[0];
    let before = everything(&stores.a, job).await;
    for plain in misfits(&step(job, &me, epoch, 1)) {
        let laden = Commit {
            flow: Some(flow(FlowState::Success)),
            answered: vec![number],
            ..plain.clone()
        };
        assert_eq!(commit(&stores.a, plain).await, Committed::Fenced);
        assert_eq!(commit(&stores.b, laden).await, Committed::Fenced);
        assert_eq!(everything(&stores.b, job).await, before);
    }
    let answer = commit(&stores.b, step(job, &me, epoch, 1)).await;
    assert_eq!(answer, Committed::Done { requests: true });
}

async fn a_fenced_step_in_a_batch_changes_nothing_and_the_others_are_committed(stores: Stores) {
    let me = who("x");
    let mut steps = Vec::new();
    let mut jobs = Vec::new();
    for n in 0..12 {
        let (job, epoch) = owned(&stores.a, n, &me).await;
        assert_eq!(commit(&stores.a, step(job, &me, epoch, 0)).await, DONE);
        jobs.push(job);
        let fitting = ending(step(job, &me, epoch, 1), FlowState::Running);
        // Every second one does not fit, each in another way.
        steps.push(if n % 2 == 0 {
            fitting
        } else {
            misfits(&fitting)[n as usize / 2].clone()
        });
    }
    let mut before = Vec::new();
    for job in &jobs {
        before.push(everything(&stores.a, *job).await);
    }
    let answers = stores.a.commit(&steps, &LogBatch::default()).await.unwrap();
    for (n, answer) in answers.iter().enumerate() {
        let expected = if n % 2 == 0 { DONE } else { Committed::Fenced };
        assert_eq!(*answer, expected, "step {n}");
        let loaded = stores.b.load(jobs[n]).await.unwrap().unwrap();
        if n % 2 == 0 {
            assert_eq!(loaded.job.seq, 2);
            assert_eq!(loaded.job.flow.state, FlowState::Running);
            assert_eq!(loaded.checkpoint.atoms.len(), 2);
        } else {
            assert_eq!(everything(&stores.b, jobs[n]).await, before[n], "step {n}");
        }
    }
    let none = stores.a.commit(&[], &LogBatch::default()).await.unwrap();
    assert!(none.is_empty());
}

async fn steps_of_one_job_in_one_batch_follow_each_other(stores: Stores) {
    let me = who("x");
    let (first, epoch) = owned(&stores.a, 1, &me).await;
    let (second, _) = owned(&stores.a, 2, &me).await;
    let steps = [
        step(first, &me, epoch, 0),
        step(second, &me, epoch, 0),
        step(first, &me, epoch, 1),
        step(first, &me, epoch, 1),
        step(first, &me, epoch, 2),
    ];
    let answers = stores.a.commit(&steps, &LogBatch::default()).await.unwrap();
    assert_eq!(answers, [DONE, DONE, DONE, Committed::Fenced, DONE]);
    let loaded = stores.b.load(first).await.unwrap().unwrap();
    assert_eq!(loaded.job.seq, 3);
    assert_eq!(loaded.checkpoint.atoms.len(), 3);
}

async fn a_commit_whose_answer_was_lost_is_found_by_looking(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let lost = step(job, &me, epoch, 0);
    assert_eq!(commit(&stores.a, lost.clone()).await, DONE);
    let before = everything(&stores.a, job).await;
    for again in [lost.clone(), ending(lost, FlowState::Running)] {
        assert_eq!(commit(&stores.b, again).await, Committed::Fenced);
        assert_eq!(everything(&stores.b, job).await, before);
    }
    assert!(stores.b.owns(job, &me, epoch).await.unwrap());
    assert_eq!(stores.b.load(job).await.unwrap().unwrap().job.seq, 1);
}

async fn a_dropped_commit_took_place_or_did_not(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let (other, _) = owned(&stores.a, 2, &me).await;
    let no_logs = LogBatch::default();
    let mut seq = 0;
    for patience in 0..60 {
        let batch = [
            step(job, &me, epoch, seq),
            ending(step(other, &me, epoch, seq), FlowState::Running),
        ];
        let batch = &batch[..1 + patience % 2];
        tokio::select! {
            biased;
            _ = stores.a.commit(batch, &no_logs) => {}
            () = async { for _ in 0..patience { tokio::task::yield_now().await } } => {}
        }
        // The other handle is not held up, and all of the step is there or nothing.
        let (loaded, events) = loop {
            let loaded = stores.b.load(job).await.unwrap().unwrap();
            let events = stores.b.events(job, 0, 1000).await.unwrap();
            // Had it arrived between the two, they would tell of different moments.
            let later = stores.b.load(job).await.unwrap().unwrap();
            if later.job.seq == loaded.job.seq {
                break (loaded, events);
            }
        };
        let rows = i64::try_from(loaded.checkpoint.atoms.len()).unwrap();
        assert_eq!(loaded.job.seq, rows);
        assert_eq!(i64::try_from(events.len()).unwrap(), rows);
        // It may still be on its way; the next one with the same number decides that.
        commit(&stores.b, step(job, &me, epoch, seq)).await;
        commit(&stores.b, step(other, &me, epoch, seq)).await;
        seq += 1;
        assert_eq!(stores.a.load(job).await.unwrap().unwrap().job.seq, seq);
        assert_eq!(stores.a.load(other).await.unwrap().unwrap().job.seq, seq);
    }
}

async fn a_step_without_atoms_or_records_is_fenced_and_counts(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let full = step(job, &me, epoch, 0);
    let records_alone = Commit {
        atoms: Vec::new(),
        ..full.clone()
    };
    assert_eq!(commit(&stores.a, records_alone.clone()).await, DONE);
    assert_eq!(commit(&stores.a, records_alone).await, Committed::Fenced);
    let loaded = stores.b.load(job).await.unwrap().unwrap();
    assert_eq!((loaded.job.seq, loaded.checkpoint.atoms.len()), (1, 0));
    assert_eq!(stores.b.events(job, 0, 10).await.unwrap().len(), 1);
    assert_eq!(stores.b.load(job).await.unwrap().unwrap().claims, 0);

    let epoch = stores.b.own(job, &me).await.unwrap().unwrap();
    let nothing = Commit {
        epoch,
        records: Vec::new(),
        atoms: Vec::new(),
        ..step(job, &me, epoch, 1)
    };
    assert_eq!(commit(&stores.a, nothing.clone()).await, DONE);
    assert_eq!(stores.b.load(job).await.unwrap().unwrap().claims, 0);
    let stale = Commit {
        epoch: Epoch(1),
        ..nothing
    };
    assert_eq!(commit(&stores.b, stale).await, Committed::Fenced);
}

async fn one_of_many_racing_commits_wins(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    for seq in 0..5 {
        let commits = (0..8).map(|n| {
            let store = Arc::clone(if n % 2 == 0 { &stores.a } else { &stores.b });
            let mut step = step(job, &me, epoch, seq);
            if n % 3 == 0 {
                step.flow = Some(flow(FlowState::Running));
            }
            tokio::spawn(async move { commit(&store, step).await })
        });
        let mut won = 0;
        for commit in commits.collect::<Vec<_>>() {
            won += usize::from(commit.await.unwrap() == DONE);
        }
        assert_eq!(won, 1);
    }
    let loaded = stores.a.load(job).await.unwrap().unwrap();
    assert_eq!(loaded.job.seq, 5);
}

async fn deep_and_odd_values_come_back(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    // As deep as a JSON parser lets a task's result be.
    let deep: Value =
        serde_json::from_str(&format!("{}1{}", "[".repeat(127), "]".repeat(127))).unwrap();
    let odd = json!([-1.2108827173763167e+235, u64::MAX, i64::MIN, -0.0, 1e308, 5e-324, 0.1, "\u{0}\u{7f}\u{2028}'\"\\", {"": {}}]);
    for (seq, value) in (0..).zip([deep, odd, Value::String("x".repeat(3_000_000))]) {
        let mut step = step(job, &me, epoch, seq);
        step.records = vec![record(0, succeeded(value.clone()))];
        step.atoms = vec![atom(0, AtomState::Success)];
        step.atoms[0].row.result = value.clone().into();
        step.atoms[0].row.history = Some(Box::new(RetryHistory {
            tries: 1,
            last: vec![Try {
                number: 1,
                value: value.clone().into(),
                failure: None,
            }],
        }));
        step.atoms[0].name = "a \"quoted\" näme".into();
        let expected = step.atoms[0].row.clone();
        assert_eq!(commit(&stores.a, step).await, DONE);
        let loaded = stores.b.load(job).await.unwrap().unwrap();
        assert_eq!(loaded.checkpoint.atoms, [(AtomId(0), expected)]);
        let events = stores.b.events(job, seq, 1).await.unwrap();
        assert_eq!(events[0].record, record(0, succeeded(value)));
    }
}

async fn a_batch_of_large_results_is_committed(stores: Stores) {
    let me = who("x");
    let mut steps = Vec::new();
    for n in 0..12 {
        let (job, epoch) = owned(&stores.a, n, &me).await;
        let mut step = ending(step(job, &me, epoch, 0), FlowState::Running);
        // Quotes, so that each is twice as long where it stands as text.
        step.atoms[0].row.result = json!("\"".repeat(400_000)).into();
        steps.push(step);
    }
    let answers = stores.a.commit(&steps, &LogBatch::default()).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == DONE), "{answers:?}");
    for step in steps {
        let loaded = stores.b.load(step.job).await.unwrap().unwrap();
        assert_eq!(loaded.checkpoint.atoms[0].1, step.atoms[0].row);
    }
}
