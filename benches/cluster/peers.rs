//! TaskFlow's scripts, in the virtual environment that somebody may have made for them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::servers::redis::Redis;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

/// The environment's Python, if there is one.
pub fn python() -> Option<PathBuf> {
    Some(folder().join(".venv/bin/python")).filter(|python| python.exists())
}

/// One of the scripts, with the servers that it is to use. Only if there is a Python for it.
pub fn command(script: &str, redis: &Redis, mariadb_url: &str) -> Command {
    let mut command = Command::new(python().expect("it was asked for"));
    command
        .arg(folder().join(script))
        .args(["--redis", &redis.port().to_string(), "--mysql"])
        .arg(mariadb_url.replacen("mysql://", "mysql+pymysql://", 1));
    command
}

/// What TaskFlow took for `n` of something.
pub fn run(mariadb_url: &str, redis: &Redis, what: &str, n: u32) -> Option<Value> {
    python()?;
    let output = command("taskflow_peer.py", redis, mariadb_url)
        .args([what, &n.to_string()])
        .output()
        .expect("python runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    match serde_json::from_str(line) {
        Ok(value) => Some(value),
        Err(_) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}
