//! A Galera cluster as the store: each conductor on a node of its own, nodes that die and that are cut off.

use std::sync::Arc;
use std::time::Duration;

use jobrunner::model::{AtomState, Change, Epoch, JobId};
use jobrunner::ports::{Commit, Committed, LogBatch, Store};
use jobrunner::stores::sql::SqlStore;

use super::refusals::refusal;
use crate::servers::galera::Galera;
use crate::store_contract::{atom, job, record, who};

/// How often a node is asked that is to change its mind.
const PATIENCE: u32 = 200;
/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// A step of `owner` that starts an atom.
fn step(job: JobId, owner: &str, epoch: Epoch, seq: i64) -> Commit {
    let number = u32::try_from(seq).unwrap();
    Commit {
        job,
        owner: who(owner),
        epoch,
        seq,
        records: vec![record(number, Change::Started { until: None })],
        atoms: vec![atom(number, AtomState::Running)],
        flow: None,
        answered: Vec::new(),
    }
}

/// Who took a job over on one node, and who held it on another, commit at the same time, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_races_a_takeover_on_another_node_is_fenced_or_seen() {
    let urls = Galera::shared().await.database().await;
    let a = Arc::new(SqlStore::open(&urls[0]).await.unwrap());
    let b = Arc::new(SqlStore::open(&urls[1]).await.unwrap());
    let newer = who("new");
    let (mut fenced, mut done) = (0, 0);
    for n in 0..60 {
        let new = job(n);
        a.create(&new).await.unwrap();
        let epoch = b.own(new.id, &who("old")).await.unwrap().unwrap();
        let late = step(new.id, "old", epoch, 0);
        let pause = Duration::from_micros(fastrand::u64(..4000));
        let late = async {
            tokio::time::sleep(pause).await;
            b.commit(&[late], &LogBatch::default()).await.unwrap()
        };
        let (taken, late) = tokio::join!(a.own(new.id, &newer), late);
        let taken = taken.unwrap().unwrap();
        assert_eq!(taken, Epoch(epoch.0 + 1));
        // What the new owner reads is all that there will be of the old one.
        let read = a.load(new.id).await.unwrap().unwrap();
        match late.as_slice() {
            [Committed::Fenced] => {
                fenced += 1;
                assert_eq!((read.job.seq, read.checkpoint.atoms.len()), (0, 0));
            }
            [Committed::Done { .. }] => {
                done += 1;
                assert_eq!((read.job.seq, read.checkpoint.atoms.len()), (1, 1));
            }
            other => panic!("{other:?}"),
        }
        let next = step(new.id, "new", taken, read.job.seq);
        let next = a.commit(&[next], &LogBatch::default()).await.unwrap();
        assert!(matches!(next[..], [Committed::Done { .. }]), "{next:?}");
        let too_late = step(new.id, "old", epoch, read.job.seq + 1);
        let too_late = b.commit(&[too_late], &LogBatch::default()).await.unwrap();
        assert_eq!(too_late, [Committed::Fenced]);
    }
    println!("{fenced} were fenced, {done} were seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_on_one_node_is_read_on_another_at_once() {
    let urls = Galera::shared().await.database().await;
    let a = SqlStore::open(&urls[0]).await.unwrap();
    let b = SqlStore::open(&urls[1]).await.unwrap();
    for n in 0..100 {
        let new = job(n);
        a.create(&new).await.unwrap();
        assert!(b.load(new.id).await.unwrap().is_some(), "{n}");
        let epoch = b.own(new.id, &who("x")).await.unwrap();
        assert_eq!(epoch, Some(Epoch(1)), "{n}");
        let read = a.load(new.id).await.unwrap().unwrap();
        assert_eq!(read.job.owner, Some(who("x")), "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_is_named_and_works_again_when_it_is_back() {
    let cluster = Galera::start(3).await;
    let urls = cluster.database().await;
    let here = SqlStore::open(&urls[0]).await.unwrap();
    let there = SqlStore::open(&urls[2]).await.unwrap();
    let new = job(1);
    here.create(&new).await.unwrap();
    let epoch = there.own(new.id, &who("old")).await.unwrap().unwrap();
    cluster.isolate(2, true).await;
    // Until the nodes have given each other up, they wait.
    let mut line = refusal(&urls[2]).await;
    for _ in 0..PATIENCE {
        if line.contains("Galera") {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        line = refusal(&urls[2]).await;
    }
    assert!(line.contains("SHOW STATUS LIKE 'wsrep%'"), "{line}");
    // Those that are the most go on, and the one that was cut off has lost what was taken from it.
    let mut taken = here.own(new.id, &who("new")).await;
    for _ in 0..PATIENCE {
        if taken.is_ok() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        taken = here.own(new.id, &who("new")).await;
    }
    let taken = taken.unwrap().unwrap();
    let cut = there
        .commit(&[step(new.id, "old", epoch, 0)], &LogBatch::default())
        .await;
    assert!(cut.is_err(), "{cut:?}");
    cluster.isolate(2, false).await;
    let mut late = Err(String::new());
    for _ in 0..PATIENCE {
        let step = step(new.id, "old", epoch, 0);
        let said = there.commit(&[step], &LogBatch::default()).await;
        late = said.map_err(|why| why.to_string());
        if late.is_ok() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let late = late.expect("it is back");
    assert_eq!(late, [Committed::Fenced]);
    let next = here
        .commit(&[step(new.id, "new", taken, 0)], &LogBatch::default())
        .await
        .unwrap();
    assert!(matches!(next[..], [Committed::Done { .. }]), "{next:?}");
}
