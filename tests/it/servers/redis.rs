//! `redis-server`, or `valkey-server`: one that tests share, each under a prefix of its own, and others for tests that do harm to it.
//!
//! Each ends with the test binary for certain, also if that is killed: `setpriv` has the system kill it when the thread
//! that started it is gone, and that thread lasts as long as the binary.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use jobrunner::boards::redis::{RedisAddress, RedisBoard};
use redis::Commands;
use rustix::process::{Pid, Signal, kill_process};

/// A running server. It ends when this is dropped.
pub struct Redis {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    folder: tempfile::TempDir,
}

static SHARED: LazyLock<Redis> = LazyLock::new(|| Redis::start(&[]));
static PREFIXES: AtomicU32 = AtomicU32::new(0);

/// A place on the shared server that no other test has.
pub fn shared() -> String {
    let n = PREFIXES.fetch_add(1, Ordering::Relaxed);
    format!("{}?prefix=test{n}", SHARED.url())
}

impl Redis {
    /// A server of its own. Nothing is saved, unless the arguments say so.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        for _ in 0..10 {
            let port = free_port();
            if let Some(child) = run(port, &arguments, &folder) {
                return Self {
                    child,
                    port,
                    arguments,
                    folder,
                };
            }
        }
        panic!("no redis-server could be started");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// A connection that is not the board's.
    pub fn connect(&self) -> redis::Connection {
        connect(&self.url())
    }

    /// What it has written to its disk: each command that changed something, with `--appendonly yes`.
    pub fn saved(&self) -> Vec<u8> {
        let mut saved = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    saved.extend(fs::read(path).unwrap());
                }
            }
        }
        saved
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, with what it had saved.
    pub fn restart(&mut self) {
        self.child = run(self.port, &self.arguments, &self.folder).expect("the port is ours");
    }

    /// Stops it, so that it takes connections and answers nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be dead already, or frozen.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to the server of a board's URL.
pub fn connect(url: &str) -> redis::Connection {
    let url = url.split('?').next().unwrap();
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

/// The board at a URL.
pub async fn board(url: &str) -> RedisBoard {
    RedisBoard::open(RedisAddress::parse(url).unwrap())
        .await
        .unwrap()
}

/// Lets time pass for a board: whatever it holds with an instant has it so much sooner.
pub fn let_pass(url: &str, time: Duration) {
    let prefix = url.split("prefix=").nth(1).unwrap_or("jobrunner");
    let mut connection = connect(url);
    for name in ["leases", "seen", "present"] {
        let key = format!("{{{prefix}}}:1:{name}");
        let instants: Vec<(String, f64)> = connection.zrange_withscores(&key, 0, -1).unwrap();
        for (member, instant) in instants {
            let sooner = instant - time.as_millis() as f64;
            let _: i64 = connection.zadd(&key, member, sooner).unwrap();
        }
    }
}

/// Takes a ready job out of its queue, and the queue out of those that are looked at.
pub fn dequeue(url: &str, requires: &str, job: &str) {
    let prefix = url.split("prefix=").nth(1).unwrap_or("jobrunner");
    let key = |name: &str| format!("{{{prefix}}}:1:{name}");
    let mut connection = connect(url);
    let taken: i64 = connection
        .zrem(key(&format!("queue:{requires}")), job)
        .unwrap();
    assert_eq!(taken, 1);
    let _: i64 = connection.srem(key("queues"), requires).unwrap();
}

fn run(port: u16, arguments: &[String], folder: &tempfile::TempDir) -> Option<Child> {
    let program = ["usr/bin/valkey-server", "usr/bin/redis-server"]
        .map(super::installed)
        .into_iter()
        .find(|program| program.exists());
    let mut command = bound_to_us(program.unwrap().to_str().unwrap());
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = start(command);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.any(|line| line.unwrap().contains("Ready to accept connections"));
    if !ready {
        child.wait().unwrap();
        return None;
    }
    // What it says from now on has to go somewhere.
    thread::spawn(move || lines.for_each(drop));
    Some(child)
}

type Start = (Command, Sender<io::Result<Child>>);

static STARTER: LazyLock<Sender<Start>> = LazyLock::new(|| {
    let (starts, orders) = channel::<Start>();
    thread::spawn(move || {
        for (mut command, started) in orders {
            let _ = started.send(command.spawn());
        }
    });
    starts
});

/// A command that is killed when this process is gone.
pub fn bound_to_us(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// Starts a command that is [`bound_to_us`].
pub fn start(command: Command) -> Child {
    let (started, child) = channel();
    STARTER.send((command, started)).unwrap();
    child.recv().unwrap().unwrap()
}

/// A port that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
