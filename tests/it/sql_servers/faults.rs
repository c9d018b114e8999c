//! Connections that break, servers that die: nothing is lost, nothing is done twice.

use std::sync::Arc;
use std::time::Duration;

use jobrunner::boards::sql::SqlBoard;
use jobrunner::engine::Writer;
use jobrunner::model::{AtomState, Epoch, FlowState, JobId, Priority};
use jobrunner::ports::{
    Commit, Committed, JobBoard, LogBatch, Notice, Store, StoreError, SystemClock,
};
use jobrunner::stores::sql::SqlStore;

use super::Raw;
use crate::servers::proxy::{Proxy, Weather};
use crate::servers::{Kind, Server};
use crate::store_contract::{atom, job, record, who};

each_server! {
    a_commit_whose_answer_is_lost_is_looked_up_and_not_repeated,
    a_connection_that_died_while_idle_is_replaced_unnoticed,
    a_store_goes_on_after_its_server_was_killed,
    a_commit_that_loses_in_a_deadlock_is_done_again,
    a_posting_that_cannot_be_read_is_set_aside_and_the_others_go_on,
    a_posting_in_a_queue_that_nobody_knows_is_set_aside_or_found;
    a_frozen_server_holds_nobody_up_for_ever,
    a_stale_step_is_fenced_by_a_server_that_is_not_strict_too,
    requests_that_waited_before_the_upgrade_are_told_of,
}

/// A store behind a proxy, with a job that `x` owns.
struct Far {
    url: String,
    proxy: Proxy,
    near: SqlStore,
    far: Arc<SqlStore>,
    job: JobId,
    epoch: Epoch,
}

async fn far(kind: Kind) -> Far {
    let server = Server::shared(kind).await;
    let proxy = Proxy::to(server.port).await;
    let url = server.database().await;
    let there = server.through(&proxy, &url).await;
    let near = SqlStore::open(&url).await.unwrap();
    let far = Arc::new(SqlStore::open(&there).await.unwrap());
    let new = job(1);
    far.create(&new).await.unwrap();
    let epoch = far.own(new.id, &who("x")).await.unwrap().unwrap();
    Far {
        url,
        proxy,
        near,
        far,
        job: new.id,
        epoch,
    }
}

impl Far {
    fn step(&self, seq: i64) -> Commit {
        let number = u32::try_from(seq).unwrap();
        Commit {
            job: self.job,
            owner: who("x"),
            epoch: self.epoch,
            seq,
            records: vec![record(
                number,
                jobrunner::model::Change::Started { until: None },
            )],
            atoms: vec![atom(number, AtomState::Running)],
            flow: None,
            answered: Vec::new(),
        }
    }

    /// A step that takes the way of a batch. There is no request of that number.
    fn laden(&self, seq: i64) -> Commit {
        Commit {
            answered: vec![0],
            flow: Some(jobrunner::model::FlowRow {
                state: FlowState::Running,
                ..jobrunner::model::FlowRow::default()
            }),
            ..self.step(seq)
        }
    }
}

/// What a commit of a lone step or of a batch ends with, on the wire.
fn last_words(kind: Kind, lone: bool) -> Vec<u8> {
    match (kind, lone) {
        // A lone step is one statement, with the owner as an argument.
        (Kind::Postgres, true) => b"x:1:abc".to_vec(),
        (Kind::MariaDb | Kind::MySql, _) | (Kind::Postgres, false) => b"COMMIT".to_vec(),
    }
}

async fn a_commit_whose_answer_is_lost_is_looked_up_and_not_repeated(kind: Kind) {
    for lone in [true, false] {
        for after in [false, true] {
            let far = far(kind).await;
            let (writer, writing) = Writer::new(
                far.far.clone(),
                None,
                Arc::new(SystemClock),
                Duration::from_secs(30),
            );
            let writing = tokio::spawn(writing);
            let step = if lone { far.step(0) } else { far.laden(0) };
            let words = last_words(kind, lone);
            far.proxy.set(if after {
                Weather::CutAfter(words)
            } else {
                Weather::CutBefore(words)
            });
            let committing = writer.commit(step, LogBatch::default());
            let fair_again = async {
                while far.proxy.cuts() == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                far.proxy.set(Weather::Fair);
            };
            let (committed, ()) = tokio::join!(committing, fair_again);
            let case = format!("{kind:?}, lone {lone}, after {after}");
            assert!(
                matches!(committed, Ok(Committed::Done { .. })),
                "{case}: {committed:?}"
            );
            let events = far.near.events(far.job, 0, 10).await.unwrap();
            assert_eq!(events.len(), 1, "{case}");
            let loaded = far.near.load(far.job).await.unwrap().unwrap();
            assert_eq!(loaded.job.seq, 1, "{case}");
            assert_eq!(far.proxy.cuts(), 1, "{case}");
            drop(writer);
            writing.await.unwrap();
        }
    }
}

async fn a_connection_that_died_while_idle_is_replaced_unnoticed(kind: Kind) {
    let far = far(kind).await;
    // Reads go over another connection than writes.
    assert!(far.far.owns(far.job, &who("x"), far.epoch).await.unwrap());
    far.proxy.cut();
    assert!(far.far.owns(far.job, &who("x"), far.epoch).await.unwrap());
}

async fn a_store_goes_on_after_its_server_was_killed(kind: Kind) {
    let mut server = Server::start(kind, &[]).await;
    let url = server.database().await;
    let store = SqlStore::open(&url).await.unwrap();
    let new = job(1);
    store.create(&new).await.unwrap();
    server.kill();
    let lost = store.own(new.id, &who("x")).await.unwrap_err();
    assert!(matches!(lost, StoreError::Unavailable { .. }), "{lost:?}");
    let away = store.own(new.id, &who("x")).await.unwrap_err();
    assert!(away.to_string().contains("cannot be reached"), "{away}");
    server.start_again(&[]).await;
    let epoch = store.own(new.id, &who("x")).await.unwrap();
    assert_eq!(epoch, Some(Epoch(1)), "what was confirmed is there");
}

async fn a_frozen_server_holds_nobody_up_for_ever(kind: Kind) {
    let server = Server::start(kind, &[]).await;
    let url = server.database().await;
    let store = SqlStore::open(&url).await.unwrap();
    let new = job(1);
    store.create(&new).await.unwrap();
    server.freeze();
    let (x, limit) = (who("x"), Duration::from_secs(30));
    let frozen = tokio::time::timeout(limit, store.own(new.id, &x)).await;
    let frozen = frozen.expect("it gives up").unwrap_err();
    assert!(frozen.to_string().contains("does not answer"), "{frozen}");
    server.thaw();
    assert!(store.own(new.id, &who("y")).await.unwrap().is_some());
}

/// Holds the rows of `second` and waits for those of `first`, while a commit holds `first` and waits for `second`.
async fn a_commit_that_loses_in_a_deadlock_is_done_again(kind: Kind) {
    let server = Server::shared(kind).await;
    let url = server.database().await;
    let store = Arc::new(SqlStore::open(&url).await.unwrap());
    let mut steps = Vec::new();
    for n in [1, 2] {
        let new = job(n);
        store.create(&new).await.unwrap();
        let epoch = store.own(new.id, &who("x")).await.unwrap().unwrap();
        steps.push(Commit {
            job: new.id,
            owner: who("x"),
            epoch,
            seq: 0,
            records: vec![record(0, jobrunner::model::Change::Started { until: None })],
            atoms: vec![atom(0, AtomState::Running)],
            flow: None,
            answered: Vec::new(),
        });
    }
    let lock = |step: &Commit| format!("UPDATE jobs SET claims = 7 WHERE id = '{}'", step.job);
    let mut other = Raw::connect(kind, &url).await;
    // The server ends the transaction that has changed less.
    other.run("BEGIN").await;
    for n in 0..50 {
        other
            .run(&format!(
                "INSERT INTO requests (job, kind, at, form, body) VALUES ('{n}', '', 0, 1, '')"
            ))
            .await;
    }
    other.run(&lock(&steps[1])).await;
    let committing = {
        let (store, steps) = (Arc::clone(&store), steps.clone());
        tokio::spawn(async move { store.commit(&steps, &LogBatch::default()).await })
    };
    other.until_somebody_waits(server, &url).await;
    other.run(&lock(&steps[0])).await;
    other.run("COMMIT").await;
    let answers = committing.await.unwrap().unwrap();
    let done = Committed::Done { requests: false };
    assert_eq!(answers, [done.clone(), done], "{kind:?}");
    for step in &steps {
        let events = store.events(step.job, 0, 10).await.unwrap();
        assert_eq!(events.len(), 1, "{kind:?}");
    }
}

/// Such a server writes something for a NULL in the middle of many rows, if the session lets it.
async fn a_stale_step_is_fenced_by_a_server_that_is_not_strict_too(kind: Kind) {
    let server = Server::start(kind, &["--sql-mode="]).await;
    let store = SqlStore::open(&server.database().await).await.unwrap();
    let mut steps = Vec::new();
    for n in [1, 2, 3] {
        let new = job(n);
        store.create(&new).await.unwrap();
        let epoch = store.own(new.id, &who("x")).await.unwrap().unwrap();
        let started = jobrunner::model::Change::Started { until: None };
        steps.push(Commit {
            job: new.id,
            owner: who("x"),
            epoch,
            seq: 0,
            records: vec![record(0, started.clone()), record(1, started)],
            atoms: vec![atom(0, AtomState::Running), atom(1, AtomState::Running)],
            flow: None,
            answered: Vec::new(),
        });
    }
    for taken in [&steps[0], &steps[2]] {
        assert!(store.own(taken.job, &who("y")).await.unwrap().is_some());
    }
    let none = LogBatch::default();
    let alone = store.commit(&steps[..1], &none).await.unwrap();
    assert_eq!(alone, [Committed::Fenced]);
    let together = store.commit(&steps, &none).await.unwrap();
    let done = Committed::Done { requests: false };
    assert_eq!(together, [Committed::Fenced, done, Committed::Fenced]);
    for (step, written) in steps.iter().zip([0, 2, 0]) {
        let loaded = store.load(step.job).await.unwrap().unwrap();
        assert_eq!(loaded.job.seq, written);
        assert_eq!(loaded.checkpoint.atoms.len() as i64, written);
        let events = store.events(step.job, 0, 10).await.unwrap();
        assert_eq!(events.len() as i64, written);
    }
}

async fn requests_that_waited_before_the_upgrade_are_told_of(kind: Kind) {
    let far = far(kind).await;
    let (store, step) = (&far.near, far.step(0));
    let mut raw = Raw::connect(kind, &far.url).await;
    raw.run("ALTER TABLE jobs DROP COLUMN asked").await;
    raw.run("DELETE FROM store_migrations WHERE version = 2")
        .await;
    raw.run(&format!(
        "INSERT INTO requests (job, kind, at, form, body) VALUES ('{}', 'cancel', 0, 1, '')",
        far.job
    ))
    .await;
    SqlStore::open(&far.url).await.unwrap();
    let told = store.commit(&[step], &LogBatch::default()).await.unwrap();
    assert_eq!(told, [Committed::Done { requests: true }]);
}

async fn a_posting_that_cannot_be_read_is_set_aside_and_the_others_go_on(kind: Kind) {
    let server = Server::shared(kind).await;
    let url = server.database().await;
    let board = SqlBoard::open(&url, Arc::new(SystemClock)).await.unwrap();
    let good = Notice {
        job: job(1).id,
        priority: Priority::Normal,
        requires: "[]".to_owned(),
    };
    board.post(&good, None).await.unwrap();
    // It would be claimed first.
    let nonsense = "INSERT INTO postings (job, requires, queue, priority, leased, until, expired)
                    SELECT 'nonsense', requires, queue, 0, 0, 0, 0 FROM postings";
    let mut raw = Raw::connect(kind, &url).await;
    raw.run(nonsense).await;
    let able = ["[]".to_owned()];
    let ttl = Duration::from_secs(60);
    for _ in 0..2 {
        let shown = board.snapshot(10).await.unwrap();
        let shown: Vec<JobId> = shown.iter().map(|posting| posting.notice.job).collect();
        assert_eq!(shown, [good.job], "{kind:?}");
        let claim = board.claim(&who("x"), &able, ttl).await.unwrap();
        assert_eq!(claim.map(|claim| claim.job), Some(good.job), "{kind:?}");
        assert_eq!(board.claim(&who("x"), &able, ttl).await.unwrap(), None);
        assert!(board.release(&who("x"), good.job).await.unwrap());
    }
    let kept = "SELECT count(*) FROM postings WHERE job = 'nonsense' AND leased = 2";
    assert_eq!(raw.count(kept).await, 1, "{kind:?}");
}

async fn a_posting_in_a_queue_that_nobody_knows_is_set_aside_or_found(kind: Kind) {
    let server = Server::shared(kind).await;
    let url = server.database().await;
    let board = SqlBoard::open(&url, Arc::new(SystemClock)).await.unwrap();
    let good = Notice {
        job: job(1).id,
        priority: Priority::Normal,
        requires: "[]".to_owned(),
    };
    board.post(&good, None).await.unwrap();
    let mut raw = Raw::connect(kind, &url).await;
    let ids: Vec<JobId> = (2..8).map(|n| job(n).id).collect();
    let hash = |text: &str| match kind {
        Kind::MariaDb | Kind::MySql => format!("SHA2('{text}', 256)"),
        Kind::Postgres => format!("encode(sha256('{text}'), 'hex')"),
    };
    let (plain, named) = (hash("[]"), hash("[\"gpu\"]"));
    for (job, requires, queue, leased) in [
        // In queues that nothing says anything of, two in one.
        (0, "[]", "''", 0),
        (1, "[]", "'elsewhere'", 0),
        (2, "[\"gpu\"]", "'elsewhere'", 0),
        // In a queue that is known and not its own: it would be claimed first.
        (3, "[\"gpu\"]", &*plain, 0),
        // In a state that there is not.
        (4, "[]", &*plain, -1),
        // Nothing is wrong with this one.
        (5, "[\"gpu\"]", &*named, 0),
    ] {
        let id = ids[job];
        raw.run(&format!(
            "INSERT INTO postings (job, requires, queue, priority, leased, until, expired)
             VALUES ('{id}', '{requires}', {queue}, 0, {leased}, 0, 0)"
        ))
        .await;
    }
    let able = ["[]".to_owned(), "[\"gpu\"]".to_owned()];
    let ttl = Duration::from_secs(60);
    let mut claimed = Vec::new();
    // The third in the wrong queue is found when its turn comes.
    let claim = board.claim(&who("x"), &able[..1], ttl).await.unwrap();
    claimed.extend(claim.map(|claim| claim.job));
    let before = board.requirements().await.unwrap();
    assert!(before.is_empty(), "{before:?}");
    assert_eq!(board.restore(&[], ttl).await.unwrap(), 0);
    assert_eq!(board.requirements().await.unwrap(), able[1..], "{kind:?}");
    while let Some(claim) = board.claim(&who("x"), &able, ttl).await.unwrap() {
        claimed.push(claim.job);
    }
    assert_eq!(claimed, [good.job, ids[5]], "{kind:?}");
    let kept = "SELECT count(*) FROM postings WHERE leased = 2 AND holder IS NULL";
    assert_eq!(raw.count(kept).await, 5, "{kind:?}");
}
