//! Calls of the built-in kinds, as an engine would make them, and a log that can be read.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobrunner::model::{Epoch, Failure, JobId, Phase, Timestamp, Value};
use jobrunner::ports::{Call, Kinds, LogSink, Outcome, Stream, SystemClock, Term};
use jobrunner::tasks::{HttpLimits, Settings, builtin};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine; only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A log that can be read and waited for.
#[derive(Default)]
pub struct Log {
    chunks: Mutex<Vec<(Stream, Vec<u8>)>>,
    bytes: Mutex<u64>,
    came: Notify,
}

impl LogSink for Log {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        *self.bytes.lock().unwrap() += bytes.len() as u64;
        let mut chunks = self.chunks.lock().unwrap();
        if chunks.len() < 1000 {
            chunks.push((stream, bytes.to_vec()));
        }
        self.came.notify_waiters();
    }
}

impl Log {
    /// All that a stream has brought.
    pub fn text(&self, stream: Stream) -> String {
        let chunks = self.chunks.lock().unwrap();
        let bytes: Vec<u8> = chunks
            .iter()
            .filter(|(s, _)| *s == stream)
            .flat_map(|(_, bytes)| bytes.clone())
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How many bytes have come in all.
    pub fn bytes(&self) -> u64 {
        *self.bytes.lock().unwrap()
    }

    /// Waits until standard output has so many whole lines, and returns them.
    pub async fn lines(&self, count: usize) -> Vec<String> {
        let wait = async {
            loop {
                let came = self.came.notified();
                tokio::pin!(came);
                came.as_mut().enable();
                let text = self.text(Stream::Stdout);
                if text.matches('\n').count() >= count {
                    return text.lines().map(str::to_owned).collect();
                }
                came.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }
}

/// The built-in kinds of a conductor of its own, and calls for them.
pub struct Conductor {
    kinds: Kinds,
    pub mark: String,
}

impl Conductor {
    pub fn new(grace: Duration) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mark = format!("test:{}:{number}", std::process::id());
        let guard = vec![env!("CARGO_BIN_EXE_jobrunner").into(), "__guard".into()];
        let mut settings = Settings::new(mark.clone(), guard, Arc::new(SystemClock));
        settings.grace = grace;
        settings.http = HttpLimits {
            body: 10_000,
            saved: 100_000,
        };
        Self {
            kinds: builtin(settings),
            mark,
        }
    }

    pub async fn execute(&self, kind: &str, call: Call) -> Result<Value, Failure> {
        self.kinds.get(kind).unwrap().execute(call).await
    }

    pub async fn revert(&self, kind: &str, call: Call) -> Result<(), Failure> {
        let outcome = Outcome::default();
        self.kinds.get(kind).unwrap().revert(call, outcome).await
    }

    pub async fn exec(&self, argv: &[&str]) -> Result<Value, Failure> {
        let (call, _) = call(serde_json::json!({ "argv": argv }));
        self.execute("exec", call).await
    }

    pub async fn shell(&self, script: &str) -> Result<Value, Failure> {
        let (call, _) = call(shell(script));
        self.execute("shell", call).await
    }
}

pub fn conductor() -> Conductor {
    Conductor::new(Duration::from_secs(10))
}

pub fn shell(script: &str) -> Value {
    serde_json::json!({ "script": { "script": script, "vars": {} } })
}

/// A call with a key of its own.
pub fn call(spec: Value) -> (Call, Arc<Log>) {
    let log = Arc::new(Log::default());
    let job = JobId(uuid::Uuid::now_v7());
    let call = Call {
        job,
        task: "build.compile".to_owned(),
        phase: Phase::Execute,
        key: format!("{job}/3/0"),
        attempt: 2,
        epoch: Epoch(7),
        spec,
        deadline: None,
        until: None,
        interrupted: false,
        answer: None,
        cancel: CancellationToken::new(),
        term: Term::new(Timestamp(i64::MAX), Arc::new(SystemClock)),
        log: Arc::clone(&log) as Arc<dyn LogSink>,
    };
    (call, log)
}
