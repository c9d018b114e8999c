//! What the tasks put out.

use std::sync::Arc;

use jobrunner::model::{JobId, Phase, Timestamp};
use jobrunner::ports::{Committed, LogBatch, LogChunk, LogFilter, LogTrim, Store, Stream};

use super::{AT, DONE, Stores, contract, owned, posted, step, who};

contract!(
    logs_are_paged_and_filtered,
    logs_are_trimmed_and_their_ids_rise,
    logs_are_written_beside_fenced_steps,
);

fn chunk(job: JobId, task: &str, n: i64, bytes: &[u8]) -> LogChunk {
    LogChunk {
        id: 0,
        job,
        task: task.into(),
        attempt: 1,
        phase: Phase::Execute,
        n,
        stream: Stream::Stdout,
        at: AT,
        bytes: bytes.to_vec(),
    }
}

async fn write_log(store: &Arc<dyn Store>, chunks: Vec<LogChunk>, trims: Vec<LogTrim>) {
    store
        .commit(&[], &LogBatch { chunks, trims })
        .await
        .unwrap();
}

async fn logs_are_paged_and_filtered(stores: Stores) {
    let (job, other) = (posted(&stores.a, 1).await, posted(&stores.a, 2).await);
    let written = vec![
        chunk(job, "a", 0, b"one\n"),
        chunk(other, "a", 0, b"not mine"),
        chunk(job, "b", 0, b""),
        LogChunk {
            stream: Stream::Stderr,
            attempt: 2,
            phase: Phase::Revert,
            at: Timestamp(5),
            ..chunk(job, "b", 1, b"\xff\x00\xfe")
        },
        LogChunk {
            stream: Stream::Note,
            ..chunk(job, "a", 1, "ü\"\\".as_bytes())
        },
    ];
    write_log(&stores.a, written.clone(), Vec::new()).await;
    write_log(
        &stores.b,
        vec![chunk(job, "b", 2, b""), chunk(job, "b", 3, b"")],
        Vec::new(),
    )
    .await;
    let read = async |task: Option<&str>, after, limit| {
        let task = task.map(str::to_owned);
        let filter = LogFilter {
            job,
            task,
            after,
            limit,
        };
        stores.b.logs(&filter).await.unwrap()
    };
    let all = read(None, 0, 100).await;
    assert!(all.is_sorted_by(|a, b| a.id < b.id) && all[0].id > 0);
    let mine: Vec<_> = written
        .into_iter()
        .filter(|chunk| chunk.job == job)
        .collect();
    let unnumbered = |chunk: &LogChunk| LogChunk {
        id: 0,
        ..chunk.clone()
    };
    assert_eq!(all[..4].iter().map(unnumbered).collect::<Vec<_>>(), mine);
    assert_eq!(all.len(), 6);
    assert_eq!(read(None, all[1].id, 2).await, all[2..4]);
    assert_eq!(
        read(Some("a"), 0, 100).await,
        [all[0].clone(), all[3].clone()]
    );
    assert_eq!(read(Some("b"), all[1].id, 1).await, [all[2].clone()]);
    assert!(read(Some("c"), 0, 100).await.is_empty());
    assert!(read(None, i64::MAX, 100).await.is_empty());
}

async fn logs_are_trimmed_and_their_ids_rise(stores: Stores) {
    let (job, other) = (posted(&stores.a, 1).await, posted(&stores.a, 2).await);
    let mut chunks = Vec::new();
    for n in 0..6 {
        chunks.push(chunk(job, "a", n, b"a"));
        chunks.push(chunk(job, "b", n, b"b"));
        chunks.push(chunk(other, "a", n, b"o"));
        chunks.push(LogChunk {
            attempt: 2,
            ..chunk(job, "a", n, b"2")
        });
        chunks.push(LogChunk {
            phase: Phase::Revert,
            ..chunk(job, "a", n, b"r")
        });
    }
    write_log(&stores.a, chunks, Vec::new()).await;
    let trim = LogTrim {
        job,
        task: "a".into(),
        attempt: 1,
        phase: Phase::Execute,
        first: 2,
        end: 5,
    };
    let read = async || {
        let filter = LogFilter {
            job,
            task: None,
            after: 0,
            limit: 100,
        };
        stores.b.logs(&filter).await.unwrap()
    };
    let before = read().await;
    write_log(&stores.b, Vec::new(), vec![trim.clone()]).await;
    let after = read().await;
    let kept = |chunk: &LogChunk| {
        (&*chunk.task, chunk.attempt, chunk.phase) != ("a", 1, Phase::Execute)
            || !(2..5).contains(&chunk.n)
    };
    assert_eq!(
        after,
        before
            .iter()
            .filter(|c| kept(c))
            .cloned()
            .collect::<Vec<_>>()
    );
    assert_eq!(before.len() - after.len(), 3);

    // What is written and forgotten at once was never there, and its number is not given again.
    let last = LogTrim {
        first: 7,
        end: 8,
        ..trim
    };
    write_log(
        &stores.b,
        vec![chunk(job, "a", 6, b"6"), chunk(job, "a", 7, b"7")],
        vec![last],
    )
    .await;
    let top = read().await.last().unwrap().clone();
    assert_eq!(top.n, 6);
    write_log(&stores.a, vec![chunk(job, "a", 8, b"8")], Vec::new()).await;
    assert!(read().await.last().unwrap().id > top.id + 1);
}

async fn logs_are_written_beside_fenced_steps(stores: Stores) {
    let me = who("x");
    let (job, epoch) = owned(&stores.a, 1, &me).await;
    let logs = LogBatch {
        chunks: vec![chunk(job, "a", 0, b"out")],
        trims: Vec::new(),
    };
    let steps = [step(job, &who("y"), epoch, 0)];
    let answers = stores.a.commit(&steps, &logs).await.unwrap();
    assert_eq!(answers, [Committed::Fenced]);
    let steps = [step(job, &me, epoch, 0)];
    assert_eq!(stores.a.commit(&steps, &logs).await.unwrap(), [DONE]);
    let filter = LogFilter {
        job,
        task: None,
        after: 0,
        limit: 100,
    };
    assert_eq!(stores.b.logs(&filter).await.unwrap().len(), 2);
}
