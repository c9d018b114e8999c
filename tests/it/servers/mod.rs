//! Servers of this test run alone: started when the first test asks, on free ports, with data that is thrown away.
//!
//! Each server hangs on a shell that waits for this process: when the process ends, however it ends, the shell ends
//! the server and removes its data; and should the shell be killed, the kernel ends the server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

pub mod apart;
pub mod galera;
mod mariadb;
mod mysql;
mod postgres;
pub mod proxy;
pub mod redis;
pub mod sshd;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection;
use sqlx::mysql::MySqlConnection;
use tokio::sync::OnceCell;

/// How long a server may take to start, on a machine that does other things too.
const START: Duration = Duration::from_secs(60);

/// What a package has put at `path`: one of the distribution's, or what `tests/servers/run` has unpacked.
fn installed(path: &str) -> PathBuf {
    let unpacked =
        std::env::var_os("JOBRUNNER_TEST_SERVERS").map(|root| Path::new(&root).join(path));
    let unpacked = unpacked.filter(|unpacked| unpacked.exists());
    unpacked.unwrap_or_else(|| Path::new("/").join(path))
}

/// What servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    MariaDb,
    /// For tests that are run by `tests/servers/run mysql` alone.
    MySql,
    Postgres,
}

/// A server of one's own: to be killed, frozen and started again.
pub struct Server {
    kind: Kind,
    /// Whom it belongs to, if root starts it and it is not to be root's.
    user: Option<&'static str>,
    folder: PathBuf,
    pub port: u16,
    daemon: Option<Daemon>,
}

impl Server {
    /// The one that the tests share.
    pub async fn shared(kind: Kind) -> &'static Self {
        static MARIADB: OnceCell<Server> = OnceCell::const_new();
        static MYSQL: OnceCell<Server> = OnceCell::const_new();
        static POSTGRES: OnceCell<Server> = OnceCell::const_new();
        let shared = match kind {
            Kind::MariaDb => &MARIADB,
            Kind::MySql => &MYSQL,
            Kind::Postgres => &POSTGRES,
        };
        shared.get_or_init(|| Self::start(kind, &[])).await
    }

    /// One of one's own, with options beside the usual ones.
    pub async fn start(kind: Kind, options: &[&str]) -> Self {
        let user = match kind {
            Kind::MariaDb | Kind::MySql => None,
            Kind::Postgres => Some(postgres::USER),
        };
        Self::start_as(kind, user, options).await
    }

    /// One that belongs to a user, if root starts it.
    async fn start_as(kind: Kind, user: Option<&'static str>, options: &[&str]) -> Self {
        let mut server = Self::prepare(kind, user);
        let data = template(kind).await;
        must_succeed(Command::new("cp").arg("-a").arg(data).arg(server.data()));
        server.hand_over();
        server.start_again(options).await;
        server
    }

    /// A streaming standby of a PostgreSQL.
    pub async fn standby_of(primary: &Self) -> Self {
        let mut server = Self::prepare(primary.kind, primary.user);
        server.hand_over();
        let (from, data) = (primary.port, server.data());
        tokio::task::spawn_blocking(move || postgres::copy(from, &data))
            .await
            .unwrap();
        server.start_again(&[]).await;
        server
    }

    /// Starts it where another one was that is no more, as if the address had moved.
    pub async fn move_to(&mut self, port: u16) {
        self.kill();
        self.port = port;
        self.start_again(&[]).await;
    }

    fn prepare(kind: Kind, user: Option<&'static str>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("jobrunner-test-server-")
            .tempdir()
            .unwrap()
            .keep();
        // The server's user has to come through.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).unwrap();
        Self {
            kind,
            user,
            folder,
            port: free_port(),
            daemon: None,
        }
    }

    /// Makes all that it has its user's.
    fn hand_over(&self) {
        if let Some(user) = self.user
            && rustix::process::geteuid().is_root()
        {
            let owner = format!("{user}:");
            let folder = &self.folder;
            must_succeed(Command::new("chown").arg("-R").arg(owner).arg(folder));
        }
    }

    /// Puts a file where the server can read it, and nobody else; its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let data = fs::metadata(self.data()).unwrap();
        std::os::unix::fs::chown(&path, Some(data.uid()), Some(data.gid())).unwrap();
        path
    }

    /// All that it has written: its data, its logs. The longest log stands first.
    pub fn written(&self) -> Vec<(String, Vec<u8>)> {
        let mut written = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    written.push((path.display().to_string(), bytes));
                }
            }
        }
        let log = |(name, bytes): &(String, Vec<u8>)| (name.ends_with("log"), bytes.len());
        written.sort_by_key(|file| std::cmp::Reverse(log(file)));
        written
    }

    /// Starts it on the data and the port that it had.
    pub async fn start_again(&mut self, options: &[&str]) {
        self.daemon = None;
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let command = match self.kind {
            Kind::MariaDb => mariadb::command(&self.folder, &self.data(), self.port, options),
            Kind::MySql => mysql::command(&self.folder, &self.data(), self.port, options),
            Kind::Postgres => postgres::command(&self.data(), self.port, options),
        };
        self.daemon = Some(Daemon::start(&self.folder, self.user, &command));
        let until = Instant::now() + START;
        loop {
            let answer = match self.kind {
                Kind::MariaDb | Kind::MySql => mariadb::answers(self.port).await,
                Kind::Postgres => postgres::answers(self.port).await,
            };
            match answer {
                Ok(()) => return,
                Err(_) if Instant::now() < until && self.is_alive() => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(why) => {
                    let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                    panic!("{:?} does not start: {why}\n{log}", self.kind);
                }
            }
        }
    }

    /// A new, empty database; its URL, with a user who may do everything in it and nothing else.
    pub async fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("jobs_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        match self.kind {
            Kind::MariaDb | Kind::MySql => mariadb::create(self.port, &name).await,
            Kind::Postgres => postgres::create(self.port, &name).await,
        }
        self.url(&name)
    }

    /// The URL of a database, by the user of the tests.
    pub fn url(&self, database: &str) -> String {
        let scheme = match self.kind {
            Kind::MariaDb | Kind::MySql => "mysql",
            Kind::Postgres => "postgres",
        };
        format!(
            "{scheme}://jobrunner:s3cret%40%2F%3A@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The URL of a database through a proxy, that sees what is said.
    pub async fn through(&self, proxy: &proxy::Proxy, url: &str) -> String {
        let there = url.replace(&format!(":{}/", self.port), &format!(":{}/", proxy.port()));
        match self.kind {
            Kind::Postgres => there,
            Kind::MariaDb | Kind::MySql => {
                self.meet(url).await;
                format!("{there}?ssl-mode=DISABLED")
            }
        }
    }

    /// Whether it has made itself a certificate, which nobody knows.
    pub async fn speaks_tls(&self, url: &str) -> bool {
        match self.kind {
            Kind::Postgres => false,
            Kind::MariaDb | Kind::MySql => mariadb::speaks_tls(url).await,
        }
    }

    /// A MySQL takes a password without TLS once it has had it by TLS, since it was started.
    pub async fn meet(&self, url: &str) {
        if self.kind == Kind::MySql {
            MySqlConnection::connect(url).await.unwrap();
        }
    }

    /// The URL of the administrator.
    pub fn admin(&self, database: &str) -> String {
        let scheme = match self.kind {
            Kind::MariaDb | Kind::MySql => "mysql",
            Kind::Postgres => "postgres",
        };
        format!("{scheme}://admin:adm1n@127.0.0.1:{}/{database}", self.port)
    }

    /// As if its machine lost power.
    pub fn kill(&mut self) {
        // Each connection of a PostgreSQL has a process of its own, which outlives it for a moment.
        self.freeze();
        let server = self.daemon.as_ref().expect("it was started").server;
        let server = server.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        for child in children.unwrap().split_whitespace() {
            kill_process(Pid::from_raw(child.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
            let stat = format!("/proc/{child}/stat");
            while !fs::read_to_string(&stat).unwrap().contains(") Z ") {
                std::thread::yield_now();
            }
        }
        self.daemon = None;
    }

    /// It stays there and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        // A thread that was running when the signal came may run on for a moment.
        let daemon = self.daemon.as_ref().expect("it was started");
        let threads = format!("/proc/{}/task", daemon.server.as_raw_nonzero());
        let moves = |thread: std::io::Result<fs::DirEntry>| {
            let stat = fs::read_to_string(thread.unwrap().path().join("stat"));
            stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('T'))
        };
        while fs::read_dir(&threads).unwrap().any(moves) {
            std::thread::yield_now();
        }
    }

    /// It goes on after having been frozen.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let daemon = self.daemon.as_ref().expect("it was started");
        kill_process(daemon.server, signal).unwrap();
    }

    fn is_alive(&self) -> bool {
        // One that has ended is a zombie until its shell is told to go on.
        let stat = |daemon: &Daemon| {
            fs::read_to_string(format!("/proc/{}/stat", daemon.server.as_raw_nonzero()))
        };
        let stat = self.daemon.as_ref().map(stat);
        stat.is_some_and(|stat| stat.is_ok_and(|stat| !stat.contains(") Z ")))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.daemon = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running server and the shell that it hangs on.
struct Daemon {
    keeper: Child,
    orders: Option<ChildStdin>,
    server: Pid,
}

/// `$FOLDER` is what is removed, `$@` the server's command, `$AFTER` what is done when it has ended.
const KEEPER: &str = r#"
trap : HUP INT TERM
"$@" </dev/null >>"$FOLDER/log" 2>&1 &
server=$!
echo "$server"
read -r order
kill -KILL "$server"
wait "$server" 2>/dev/null
eval "$AFTER"
[ "$order" = keep ] || rm -rf "$FOLDER"
"#;

impl Daemon {
    fn start(folder: &Path, user: Option<&str>, command: &[String]) -> Self {
        Self::start_and_tidy(folder, user, command, "")
    }

    fn start_and_tidy(folder: &Path, user: Option<&str>, command: &[String], after: &str) -> Self {
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .args(as_user(user))
            .args(["setpriv", "--pdeathsig", "KILL", "--"])
            .args(command)
            .env("FOLDER", folder)
            .env("AFTER", after)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut keeper = keeper.spawn().unwrap();
        let mut said = String::new();
        let stdout = keeper.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        Self {
            orders: keeper.stdin.take(),
            server: Pid::from_raw(said.trim().parse().unwrap()).unwrap(),
            keeper,
        }
    }
}

impl Daemon {
    /// Ends the server, and leaves its folder.
    fn end(&mut self) {
        if let Some(mut orders) = self.orders.take() {
            let _ = orders.write_all(b"keep\n");
        }
        let _ = self.keeper.wait();
    }
}

/// MariaDB and MySQL run as whoever runs the tests; as root they want to be told.
fn as_root() -> Option<&'static str> {
    rustix::process::geteuid()
        .is_root()
        .then_some("--user=root")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

/// How to run a command as another user, for those who may.
fn as_user(user: Option<&str>) -> Vec<String> {
    match user {
        Some(user) if rustix::process::geteuid().is_root() => [
            "setpriv",
            "--reuid",
            user,
            "--regid",
            user,
            "--clear-groups",
            "--",
        ]
        .map(str::to_owned)
        .to_vec(),
        Some(_) | None => Vec::new(),
    }
}

/// The data of a fresh server, made once for each run.
async fn template(kind: Kind) -> &'static Path {
    static MARIADB: OnceCell<Template> = OnceCell::const_new();
    static MYSQL: OnceCell<Template> = OnceCell::const_new();
    static POSTGRES: OnceCell<Template> = OnceCell::const_new();
    let (template, make): (_, fn(&Path)) = match kind {
        Kind::MariaDb => (&MARIADB, mariadb::install),
        Kind::MySql => (&MYSQL, mysql::install),
        Kind::Postgres => (&POSTGRES, postgres::install),
    };
    let made = template.get_or_init(|| async move {
        let template = Template::new();
        let data = template.data.clone();
        tokio::task::spawn_blocking(move || make(&data))
            .await
            .unwrap();
        template
    });
    &made.await.data
}

/// A folder that is removed when this process ends, however it ends.
struct Template {
    data: PathBuf,
    _keeper: Daemon,
}

impl Template {
    fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("jobrunner-test-template-")
            .tempdir()
            .unwrap()
            .keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let sleep = ["sleep".to_owned(), "infinity".to_owned()];
        Self {
            data: folder.join("data"),
            _keeper: Daemon::start(&folder, None, &sleep),
        }
    }
}

/// Runs a command to its end; what it said if it failed.
fn must_succeed(command: &mut Command) {
    let ended = command.output().unwrap();
    assert!(
        ended.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

/// Another program may take it before the server does; then the server does not start, and its test fails.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
