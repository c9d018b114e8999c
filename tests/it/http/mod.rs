//! `http` against servers on this machine: what is sent, what comes back, how it fails.

mod answers;
mod redirects;
mod requests;
mod saving;

use jobrunner::model::{Failure, Value};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::calls::{call, conductor};

async fn http(spec: Value) -> Result<Value, Failure> {
    let (call, _) = call(spec);
    conductor().execute("http", call).await
}

/// A server that reads one request on each connection and writes these bytes, whatever it was asked.
/// With `hold` it keeps the connection open after that.
struct Raw {
    address: String,
    _tasks: JoinSet<()>,
}

impl Raw {
    async fn answering(bytes: impl Into<Vec<u8>>, hold: bool) -> Self {
        let bytes = bytes.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let bytes = bytes.clone();
                connections.spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(&bytes).await;
                    if hold {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The same, with every secret that a URL can hold.
    fn secret_url(&self) -> String {
        format!("http://me:hunter2@{}/hunter2?token=hunter2", self.address)
    }
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

fn with_secrets(url: &str) -> Value {
    json!({
        "url": url,
        "bearer": "hunter2",
        "headers": {"X-Token": "hunter2"},
    })
}
